// Replaces operator new of a program, so that memory runs out where a test wants it to. The other
// forms of new end in this one.
#include <cstdlib>
#include <new>

#include "support/allocation_fault.h"

void* operator new(std::size_t size) {
  void* memory = vdisk::test::allocation_fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
