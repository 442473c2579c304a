/** What of ch32fun the example calls. */
#ifndef CH32FUN_H
#define CH32FUN_H

#include "funconfig.h"

void SystemInit(void);

#endif
