#include "crash/command_line.h"

#include <atomic>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>

namespace vdisk::test {

namespace {

u64 number(std::string_view text) {
  return std::strtoull(std::string(text).c_str(), nullptr, 10);
}

}  // namespace

void CommandLine::parse(std::span<char*> words) {
  if (const char* value = std::getenv("VDISK_SEED")) seed = number(value);
  for (const std::string_view word : words) {
    const auto split = word.find('=');
    const auto name = word.substr(0, split);
    const auto value = split == word.npos ? std::string_view() : word.substr(split + 1);
    if (name == "--seed") {
      seed = number(value);
    } else if (name == "--states") {
      states = number(value);
    } else if (name == "--require") {
      required = number(value);
    } else if (name == "--threads") {
      threads = number(value);
    } else if (name == "--random") {
      random_count = number(value);
    } else if (name == "--samples") {
      samples = value;
    } else if (name == "--allocations") {
      allocations = true;
    } else if (name == "--only") {
      only = value;
    } else {
      fmt::print(stderr,
                 "{}: expected --seed=, --states=, --require=, --threads=, --random=, "
                 "--samples=, --allocations or --only=\n",
                 word);
      std::exit(2);
    }
  }
}

bool CommandLine::selects(const Scenario& scenario) const {
  return (scenario.id + " " + scenario.title).find(only) != std::string::npos;
}

void CommandLine::for_each_in_parallel(std::size_t count,
                                       const std::function<void(std::size_t index)>& work) const {
  std::atomic<std::size_t> next = 0;
  const auto worker = [&] {
    for (std::size_t index = next++; index < count; index = next++) work(index);
  };
  std::vector<std::thread> pool;
  for (std::size_t n = 0; n < threads; ++n) pool.emplace_back(worker);
  for (std::thread& thread : pool) thread.join();
}

}  // namespace vdisk::test
