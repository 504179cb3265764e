# cpack: Debian packages libvdisk0, libvdisk-dev, vdisk-tool and python3-vdisk.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME vdisk)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The libvdisk authors <libvdisk@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "VHD and VHDX virtual disk images")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_COMPONENTS_ALL libvdisk0 libvdisk-dev vdisk-tool python3-vdisk)

# variables of one package: SECTION, DEPENDS, and a description whose first line is the synopsis
function(vdisk_package component section depends description)
  string(TOUPPER ${component} key)
  set(CPACK_DEBIAN_${key}_PACKAGE_NAME ${component} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(CPACK_DEBIAN_${key}_PACKAGE_DEPENDS "${depends}" PARENT_SCOPE)
  set(CPACK_COMPONENT_${key}_DESCRIPTION "${description}" PARENT_SCOPE)
  # What Debian wants of every package: its licence and its changes.
  install(FILES ${PROJECT_BINARY_DIR}/package/copyright
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${component}
          COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${PROJECT_BINARY_DIR}/package/changelog.gz
          DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${component}
          COMPONENT ${component} EXCLUDE_FROM_ALL)
endfunction()

file(READ LICENSE license)
string(REGEX REPLACE "\n\n" "\n.\n" license "${license}")
string(REGEX REPLACE "\n(.)" "\n \\1" license "${license}")
file(WRITE ${PROJECT_BINARY_DIR}/package/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: libvdisk

Files: *
Copyright: The libvdisk authors
License: MIT
 ${license}")
file(WRITE ${PROJECT_BINARY_DIR}/package/changelog
"vdisk (${PROJECT_VERSION}) unstable; urgency=medium

  * See CHANGELOG.md of the project.

 -- ${CPACK_PACKAGE_CONTACT}  Sat, 21 Nov 2026 00:00:00 +0000
")
find_program(GZIP gzip)
if(GZIP)
  execute_process(COMMAND ${GZIP} -9nkf ${PROJECT_BINARY_DIR}/package/changelog)
else()
  list(REMOVE_ITEM CPACK_COMPONENTS_ALL libvdisk0 libvdisk-dev vdisk-tool python3-vdisk)
endif()

vdisk_package(libvdisk0 libs ""
  "VHD and VHDX virtual disk images - shared library
 Reads and writes virtual disks of the formats VHD and VHDX: fixed, dynamic and
 differencing ones, with chains of parents. What was flushed survives a power
 cut at any moment.")
# Also with the shared library: pkg-config and CMake look for what the static one needs.
vdisk_package(libvdisk-dev libdevel
  "libvdisk0 (= ${PROJECT_VERSION}), libfmt-dev, libisal-dev, nettle-dev, zlib1g-dev"
  "VHD and VHDX virtual disk images - development files
 Headers of the C and C++ interfaces, the static library, and what CMake and
 pkg-config need to find them.")
vdisk_package(vdisk-tool utils ""
  "VHD and VHDX virtual disk images - command line tool
 Creates, converts, checks, expands and merges virtual disk images, and reads
 and writes their content, with progress and JSON output.")
vdisk_package(python3-vdisk python "libvdisk0 (= ${PROJECT_VERSION}), python3:any (>= 3.9)"
  "VHD and VHDX virtual disk images - Python package
 Disks as objects that are read and written, long operations as jobs with
 progress, on top of the shared library.")
# The loader learns of the library when the packages of a run are in place, not by a script.
file(WRITE ${PROJECT_BINARY_DIR}/package/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBVDISK0_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/package/triggers)
set(CPACK_DEBIAN_PYTHON3-VDISK_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON3-VDISK_PACKAGE_SHLIBDEPS OFF)

include(CPack)
