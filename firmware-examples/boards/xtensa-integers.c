/**
 * Integer arithmetic that the ESP8266 has in ROM and Debian's libgcc for it therefore leaves out. By the names gcc calls; without 64-bit
 * division, which the library does not use.
 */
#include <stdint.h>

uint32_t __udivsi3(uint32_t n, uint32_t d);
uint32_t __umodsi3(uint32_t n, uint32_t d);
int32_t __divsi3(int32_t n, int32_t d);
uint64_t __muldi3(uint64_t a, uint64_t b);
int __ctzdi2(uint64_t value);
int __clzdi2(uint64_t value);
int __popcountsi2(uint32_t value);
int __popcountdi2(uint64_t value);

/** Quotient by shift and subtract; the remainder goes to *rest. */
static uint32_t divide32(uint32_t n, uint32_t d, uint32_t *rest) {
  uint32_t quotient = 0;
  uint32_t remainder = 0;
  for (int bit = 31; bit >= 0; bit--) {
    remainder = remainder << 1 | (n >> bit & 1);
    if (remainder >= d) {
      remainder -= d;
      quotient |= (uint32_t)1 << bit;
    }
  }
  *rest = remainder;
  return quotient;
}

uint32_t __udivsi3(uint32_t n, uint32_t d) {
  uint32_t rest;
  return divide32(n, d, &rest);
}

uint32_t __umodsi3(uint32_t n, uint32_t d) {
  uint32_t rest;
  (void)divide32(n, d, &rest);
  return rest;
}

int32_t __divsi3(int32_t n, int32_t d) {
  uint32_t rest;
  uint32_t quotient = divide32(n < 0 ? 0u - (uint32_t)n : (uint32_t)n, d < 0 ? 0u - (uint32_t)d : (uint32_t)d, &rest);
  return (int32_t)((n < 0) != (d < 0) ? 0u - quotient : quotient);
}

/** Schoolbook by halves of 16 bits, modulo 2^64. */
uint64_t __muldi3(uint64_t a, uint64_t b) {
  uint32_t al = (uint32_t)a & 0xffff;
  uint32_t ah = (uint32_t)a >> 16;
  uint32_t bl = (uint32_t)b & 0xffff;
  uint32_t bh = (uint32_t)b >> 16;
  uint32_t low = al * bl;
  uint32_t middle = ah * bl + (low >> 16);
  uint32_t other = al * bh + (middle & 0xffff);
  uint32_t high = ah * bh + (middle >> 16) + (other >> 16);
  high += (uint32_t)a * (uint32_t)(b >> 32) + (uint32_t)(a >> 32) * (uint32_t)b;
  return (uint64_t)high << 32 | (other << 16 | (low & 0xffff));
}

int __ctzdi2(uint64_t value) {
  int zeros = 0;
  while (zeros < 64 && (value >> zeros & 1) == 0) zeros++;
  return zeros;
}

int __clzdi2(uint64_t value) {
  int zeros = 0;
  while (zeros < 64 && (value >> (63 - zeros) & 1) == 0) zeros++;
  return zeros;
}

int __popcountsi2(uint32_t value) {
  int ones = 0;
  for (; value != 0; value &= value - 1) ones++;
  return ones;
}

int __popcountdi2(uint64_t value) { return __popcountsi2((uint32_t)value) + __popcountsi2((uint32_t)(value >> 32)); }
