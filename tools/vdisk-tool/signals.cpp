/// Signal handlers only take a note; the loops that poll jobs and move bytes look at it.
#include "signals.h"

#include <atomic>
#include <csignal>
#include <ctime>
#include <initializer_list>
#include <mutex>
#include <optional>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

namespace vdisk::tool {
namespace {

std::atomic<int> noted_signal = 0;
std::atomic<int> noted_count = 0;
std::atomic<int> allowed_count = 1;
std::atomic<i64> noted_at = 0;  // nanoseconds of the monotonic clock
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<i64>::is_always_lock_free,
              "a signal handler may use them");

/// A signal so soon after another one is the same request: timeout(1) signals the program, and then
/// its process group.
constexpr i64 one_request = 200'000'000;

/// A signal that comes just before a blocking call would not end it: alarms repeat the knock.
constexpr unsigned knock_seconds = 1;

/// Sent to a thread that keeps all other signals out.
constexpr int thread_knock = SIGUSR1;

std::mutex knockable_mutex;
std::optional<pthread_t> knockable_thread;  // guarded by knockable_mutex

extern "C" void ignore_knock(int) {}

bool is_new_request() {
  constexpr i64 second = 1'000'000'000;
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  const i64 now = time.tv_sec * second + time.tv_nsec;
  if (noted_count != 0 && now - noted_at < one_request) return false;
  noted_at = now;
  return true;
}

extern "C" void note_signal(int number) {
  if (number != SIGALRM && is_new_request()) {
    noted_signal = number;
    if (++noted_count > allowed_count) {
      std::signal(number, SIG_DFL);
      (void)raise(number);  // kills as soon as this handler is left
    }
  }
  alarm(knock_seconds);
}

void take(int number) {
  struct sigaction action{};
  action.sa_handler = note_signal;  // without SA_RESTART: a read from a pipe ends
  sigfillset(&action.sa_mask);      // one at a time
  sigaction(number, &action, nullptr);
}

void install(int number) {
  struct sigaction previous{};
  sigaction(number, nullptr, &previous);
  // nohup stays in force. SIGINT is taken even where a shell started the tool in the background
  // with it ignored: whoever sends it by hand means it.
  if (number == SIGHUP && previous.sa_handler == SIG_IGN) return;
  take(number);
}

void ignore(int number) {
  struct sigaction action{};
  action.sa_handler = SIG_IGN;
  sigaction(number, &action, nullptr);
}

/// A closed descriptor is replaced by one whose use fails, as that of a closed one does.
void occupy(int descriptor, int flags) {
  if (fcntl(descriptor, F_GETFD) == -1) (void)open("/dev/null", flags);
}

}  // namespace

void prepare_process() {
  occupy(STDIN_FILENO, O_WRONLY);
  occupy(STDOUT_FILENO, O_RDONLY);
  occupy(STDERR_FILENO, O_RDWR);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) install(number);
  take(SIGALRM);
  struct sigaction knocked{};
  knocked.sa_handler = ignore_knock;  // without SA_RESTART: the blocking call ends
  sigaction(thread_knock, &knocked, nullptr);
  ignore(SIGPIPE);  // a closed pipe is an error of write(), told by the exit code
  ignore(SIGXFSZ);  // a size limit is an error of write() too
}

Knockable::Knockable() {
  sigset_t knocks;
  sigemptyset(&knocks);
  sigaddset(&knocks, thread_knock);
  pthread_sigmask(SIG_UNBLOCK, &knocks, nullptr);
  const std::lock_guard lock(knockable_mutex);
  knockable_thread = pthread_self();
}

Knockable::~Knockable() {
  const std::lock_guard lock(knockable_mutex);
  knockable_thread.reset();
}

void knock() {
  const std::lock_guard lock(knockable_mutex);
  if (knockable_thread) (void)pthread_kill(*knockable_thread, thread_knock);
}

int received_signal() noexcept {
  return noted_signal;
}

int received_signal_count() noexcept {
  return noted_count;
}

void allow_second_signal() noexcept {
  allowed_count = 2;
}

Status check_interrupted() {
  if (received_signal() != 0) return fail(Errc::canceled, "canceled");
  return {};
}

}  // namespace vdisk::tool
