/// Shows a program another time: LD_PRELOAD this library and set VDISK_FAKE_TIME to seconds since
/// 1970. Clocks that measure durations stay as they are.
#include <cstdlib>
#include <ctime>

#include <sys/syscall.h>
#include <unistd.h>

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const char* faked = clock == CLOCK_REALTIME ? std::getenv("VDISK_FAKE_TIME") : nullptr;
  if (faked == nullptr) return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  *time = {std::strtol(faked, nullptr, 10), 0};
  return 0;
}

extern "C" std::time_t time(std::time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}
