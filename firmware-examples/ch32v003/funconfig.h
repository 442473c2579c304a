/** What ch32fun asks for: its defaults, printf by the debug wire. */
#ifndef FUNCONFIG_H
#define FUNCONFIG_H

#define FUNCONF_USE_DEBUGPRINTF 1

#endif
