// Empty: it lets owner.go declare a function of the runtime without a body.
