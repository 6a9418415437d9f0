// The part of the C++ library that the addon needs, so that it depends on none: one binary then
// runs with every glibc from 2.17 on and with musl. Hidden from everybody else by exports.map.
#include <cstdlib>
#include <new>
#include <string>

void* operator new(std::size_t size) {
  // As the library does without exceptions: nobody here could go on.
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}

void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

extern "C" void __cxa_pure_virtual() { std::abort(); }

namespace std {

// What containers call instead of throwing: bugs of ours, all of them.
void __throw_logic_error(const char*) { std::abort(); }
void __throw_length_error(const char*) { std::abort(); }
void __throw_out_of_range_fmt(const char*, ...) { std::abort(); }
void __throw_bad_array_new_length() { std::abort(); }
void __throw_bad_alloc() { std::abort(); }

// The headers leave these to the library.
template class basic_string<char>;

}  // namespace std
