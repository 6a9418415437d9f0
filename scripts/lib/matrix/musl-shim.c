// What GCC's C++ library takes from glibc and musl lacks.

char __libc_single_threaded = 0;

// "Not found": the unwinder asks dl_iterate_phdr(3) instead.
int _dl_find_object(void *address, void *result) {
  (void)address;
  (void)result;
  return -1;
}

// For std::random_device, which the linker brings along: nobody calls it.
unsigned arc4random(void) { __builtin_trap(); }
