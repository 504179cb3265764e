# Manual pages and completions, written by the tool that was just built (tools/manual). Without
# Python the rest is built and installed all the same.

find_package(Python3 3.9 COMPONENTS Interpreter)
if(NOT Python3_FOUND OR CMAKE_CROSSCOMPILING)
  message(STATUS "vdisk: no manual pages and completions (they need Python 3 and the built tool)")
  return()
endif()

set(manual ${PROJECT_BINARY_DIR}/manual)
add_custom_command(OUTPUT ${manual}/man1/vdisk-tool.1
  COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tools/manual $<TARGET_FILE:vdisk-tool>
          ${PROJECT_SOURCE_DIR}/libvdisk/include/vdisk.h ${manual}
  DEPENDS vdisk-tool ${PROJECT_SOURCE_DIR}/tools/manual
          ${PROJECT_SOURCE_DIR}/libvdisk/include/vdisk.h
          ${PROJECT_SOURCE_DIR}/libvdisk/include/vdisk_status.h
          ${PROJECT_SOURCE_DIR}/libvdisk/include/vdisk_job.h
          ${PROJECT_SOURCE_DIR}/libvdisk/include/vdisk_store.h
  COMMENT "Writing manual pages and completions" VERBATIM)
add_custom_target(vdisk_manual ALL DEPENDS ${manual}/man1/vdisk-tool.1)

install(DIRECTORY ${manual}/packed/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT vdisk-tool)
install(DIRECTORY ${manual}/packed/man3 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT libvdisk-dev)
install(FILES ${manual}/completions/bash/vdisk-tool
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT vdisk-tool)
install(FILES ${manual}/completions/zsh/_vdisk-tool
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT vdisk-tool)
