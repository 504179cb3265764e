/// The N-th allocation of the library fails, once or for ever (HOSTILE E-07).
///
/// Only programs that replace operator new (tests/crash/failing_new.cpp) fail; in others all of
/// this is without effect. Threads: each has its own.
#pragma once

#include "vdisk/types.h"

namespace vdisk::test {

struct AllocationFault {
  u64 index = 0;  ///< of the counted allocations from now on
  bool for_ever = false;
};
void plan_allocation_fault(const AllocationFault& fault);
/// No allocation fails from now on.
void heal_allocations();
/// Since the last plan.
[[nodiscard]] u64 counted_allocations();
[[nodiscard]] u64 failed_allocations();
/// For operator new: counts, and says whether this one fails.
[[nodiscard]] bool allocation_fails();

/// While it lives allocations count, or do not: those of the library do, those of the test's own
/// files and notes do not.
class AllocationScope {
 public:
  explicit AllocationScope(bool counted);
  ~AllocationScope();
  AllocationScope(const AllocationScope&) = delete;
  AllocationScope& operator=(const AllocationScope&) = delete;

 private:
  bool before_;
};
struct CountedAllocations : AllocationScope {
  CountedAllocations() : AllocationScope(true) {}
};
struct UncountedAllocations : AllocationScope {
  UncountedAllocations() : AllocationScope(false) {}
};

}  // namespace vdisk::test
