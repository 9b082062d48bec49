"""Machine code for CPUs, through LLVM. Imported when the first program is compiled."""
