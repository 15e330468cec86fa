// This file lets clock.go declare functions without bodies, which the linker
// finds in the runtime.
