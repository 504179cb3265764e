// Options of AddressSanitizer for fuzzing: short stacks and a small quarantine are what a fuzzer
// that runs an input thousands of times needs. ASAN_OPTIONS still overrides them.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "malloc_context_size=8:quarantine_size_mb=32:detect_stack_use_after_return=0";
}
