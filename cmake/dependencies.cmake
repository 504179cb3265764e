# What the library needs to be built; vdisk-config.cmake asks for the same at the consumer's
# (except Boost: header-only, and in no public header).

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(Boost REQUIRED)
pkg_check_modules(VDISK_ISAL REQUIRED IMPORTED_TARGET GLOBAL libisal)
pkg_check_modules(VDISK_XXHASH REQUIRED libxxhash)
pkg_check_modules(VDISK_NETTLE REQUIRED IMPORTED_TARGET GLOBAL nettle)
