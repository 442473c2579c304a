/** A handwritten digit, the first of MNIST's test set: 28 by 28 pixels, light on dark; denser characters are brighter. */
#ifndef DIGIT_H
#define DIGIT_H

#include <stdint.h>
#include <string.h>

#define DIGIT_SIDE 28

static const char digit_art[DIGIT_SIDE][DIGIT_SIDE + 1] = {
    "                            ",
    "                            ",
    "                            ",
    "                            ",
    "                            ",
    "                            ",
    "                            ",
    "      -#*+:.                ",
    "      %@@@@@########*:      ",
    "      :=-=*%@%@@@@%@@+      ",
    "           .: ::::.%@=      ",
    "                  -@#.      ",
    "                 .%@-       ",
    "                 +@%:       ",
    "                :@@:        ",
    "                +@#         ",
    "                #@:         ",
    "               =@*          ",
    "              -@%:          ",
    "             .%@*           ",
    "             #@%.           ",
    "            .@@-            ",
    "           .%@=             ",
    "           +@@:             ",
    "          :@@@:             ",
    "          =@@%.             ",
    "          =@#.              ",
    "                            ",
};

/** Turns a row of the drawing into bytes. */
static inline void digit_row(int y, uint8_t row[DIGIT_SIDE]) {
  static const char levels[] = " .:-=+*#%@";
  for (int x = 0; x < DIGIT_SIDE; x++) row[x] = (uint8_t)((strchr(levels, digit_art[y][x]) - levels) * 255 / 9);
}

/** Turns the drawing into the bytes of an image. */
static inline void digit_image(uint8_t image[DIGIT_SIDE * DIGIT_SIDE]) {
  for (int y = 0; y < DIGIT_SIDE; y++) digit_row(y, image + y * DIGIT_SIDE);
}

#endif
