# What ESP-IDF does before it configures anything: includes each component's CMakeLists.txt in script mode, to hear what it requires. As
# its own tools/cmake/scripts/component_get_requirements.cmake: the registration is a macro that returns from the included file.
# Example: cmake -D ESP_PLATFORM=1 -D COMPONENT=firmware-examples/common -P scan.cmake
macro(idf_component_register)
  cmake_parse_arguments(_ "" "" "SRCS;INCLUDE_DIRS;REQUIRES" ${ARGN})
  message("sources ${__SRCS}")
  message("requires ${__REQUIRES}")
  set(registered TRUE)
  return()
endmacro()

include(${COMPONENT}/CMakeLists.txt)
if(NOT registered)
  message(FATAL_ERROR "${COMPONENT} registered no component")
endif()
