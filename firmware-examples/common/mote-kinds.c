/** The engine with all kernels. Apart from its functions, so that who has a list of kinds links no more than those. */
#include "mote-native.h"

const mote_kind mote_kinds[] = {
    MOTE_RUNS_CONV_POOLED,  MOTE_RUNS_CONV_BLOCKS, MOTE_RUNS_CONV_PLACES, MOTE_RUNS_DENSE,     MOTE_RUNS_MAXPOOL,
    MOTE_RUNS_AVGPOOL,      MOTE_RUNS_ADD,         MOTE_RUNS_MUL,         MOTE_RUNS_DEPTHWISE, MOTE_RUNS_CONV_GAPS,
    MOTE_RUNS_DENSE_VALUES, MOTE_RUNS_BITS,        MOTE_RUNS_CONV_QUADS,  MOTE_RUNS_DENSE_ROWS, MOTE_RUNS_LUT,
    MOTE_RUNS_RESIZE,       MOTE_RUNS_BORDER,      MOTE_RUNS_COPY,        MOTE_RUNS_LINES,     MOTE_RUNS_NO_MORE,
};

const mote_engine mote_data = MOTE_DATA_ENGINE(mote_kinds);
