/** As much of Arduino's interface as the example uses, to compile it where there is no Arduino. */
#pragma once
#include <stdint.h>

struct SerialPort {
  void begin(unsigned long baud);
  explicit operator bool() const;
  void print(const char *text);
  void print(int value);
  void println(const char *text);
  void println(unsigned value);
  void println(unsigned long value);
};
extern SerialPort Serial;
void delay(unsigned long ms);
unsigned long millis();
unsigned long micros();
