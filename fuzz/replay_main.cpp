// main() of a fuzz target without a fuzzer: runs it over the files of folders and files given.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> inputs(int argc, char** argv) {
  std::vector<fs::path> found;
  for (int index = 1; index < argc; ++index) {
    if (!fs::is_directory(argv[index])) {
      found.emplace_back(argv[index]);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(argv[index])) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<char> content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  const auto paths = inputs(argc, argv);
  for (const fs::path& path : paths) {
    // Printed first, so that the last line names the input that ended the process.
    std::printf("%s\n", path.filename().c_str());
    std::fflush(stdout);
    const std::vector<char> bytes = content(path);
    const std::vector<unsigned char> input(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu inputs\n", paths.size());
  return paths.empty() ? 1 : 0;  // an empty corpus is a mistake in a path
}
