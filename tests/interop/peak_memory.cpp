/// Runs a command and prints its peak resident memory in KiB and the processor time it took in
/// microseconds on standard error's last line.
///
/// A process inherits the peak of the program that started it until it executes its own, so the
/// starter must be small: this one is, an interpreter is not.
#include <cstdio>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

long microseconds(const timeval& time) {
  constexpr long per_second = 1'000'000;
  return time.tv_sec * per_second + time.tv_usec;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 125;
  const pid_t child = fork();
  if (child < 0) return 125;
  if (child == 0) {
    execv(argv[1], argv + 1);
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child) return 125;
  std::fprintf(stderr, "%ld %ld\n", usage.ru_maxrss,
               microseconds(usage.ru_utime) + microseconds(usage.ru_stime));
  constexpr int signal_base = 128;
  return WIFEXITED(status) ? WEXITSTATUS(status) : signal_base + WTERMSIG(status);
}
