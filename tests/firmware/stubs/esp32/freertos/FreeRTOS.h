/** As much of FreeRTOS as the example uses, to compile it where there is no ESP-IDF. */
#pragma once
#include <stdint.h>
typedef uint32_t TickType_t;
#define pdMS_TO_TICKS(ms) ((TickType_t)((ms) / 10))
