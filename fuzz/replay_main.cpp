// main() of a fuzz target without a fuzzer: runs it over the inputs of corpora (*.txt) and over
// files of one input each.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz/corpus_file.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

using vdisk::fuzz::CorpusInput;

void replay(const CorpusInput& input) {
  // Printed first, so that the last line names the input that ended the process.
  std::printf("%s\n", input.name.c_str());
  std::fflush(stdout);
  LLVMFuzzerTestOneInput(input.bytes.data(), input.bytes.size());
}

/// Inputs replayed; none when the file is not what it should be.
int replay_corpus(const std::string& path) {
  std::ifstream file(path);
  int count = 0;
  for (std::string line; std::getline(file, line);) {
    const auto input = vdisk::fuzz::parse_corpus_line(line);
    if (!input) continue;
    if (input->name.empty()) return 0;
    replay(*input);
    ++count;
  }
  return count;
}

int replay_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return 0;
  replay({path, {std::istreambuf_iterator<char>(file), {}}});
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  int total = 0;
  for (int index = 1; index < argc; ++index) {
    const std::string path = argv[index];
    const int count = path.ends_with(".txt") ? replay_corpus(path) : replay_file(path);
    if (count == 0) {
      std::fprintf(stderr, "%s: no inputs\n", path.c_str());
      return 1;
    }
    total += count;
  }
  std::printf("%d inputs\n", total);
  return total == 0 ? 1 : 0;
}
