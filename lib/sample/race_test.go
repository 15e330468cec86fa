//go:build race

package sample

// raced says that the race detector is on: what is kept for the next call, as sync.Pool has it, is lost now and then,
// so allocations cannot be counted.
const raced = true
