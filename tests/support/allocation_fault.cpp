#include "support/allocation_fault.h"

#include <limits>

namespace vdisk::test {

namespace {

struct Plan {
  AllocationFault fault{.index = std::numeric_limits<u64>::max()};
  u64 count = 0;
  u64 failures = 0;
  bool counted = false;
};
thread_local Plan plan;

}  // namespace

void plan_allocation_fault(const AllocationFault& fault) {
  plan = {.fault = fault, .counted = plan.counted};
}

void heal_allocations() {
  plan.fault.index = std::numeric_limits<u64>::max();
}

u64 counted_allocations() {
  return plan.count;
}

u64 failed_allocations() {
  return plan.failures;
}

bool allocation_fails() {
  if (!plan.counted) return false;
  const u64 index = plan.count++;
  if (index < plan.fault.index || (index > plan.fault.index && !plan.fault.for_ever)) return false;
  ++plan.failures;
  return true;
}

AllocationScope::AllocationScope(bool counted) : before_(plan.counted) {
  plan.counted = counted;
}
AllocationScope::~AllocationScope() {
  plan.counted = before_;
}

}  // namespace vdisk::test
