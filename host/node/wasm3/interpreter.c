#include "interpreter.h"

#include "m3_env.h"

/* 64-bit slots of a call that 0.5.0 writes before it asks whether the callee fits the stack: arguments and a result. */
enum { CALL_SLOTS = INTERPRETER_MAX_ARGUMENTS + 1 };

IM3Runtime interpreter_new(IM3Environment environment, uint32_t stack_bytes)
{
    if (stack_bytes > INT32_MAX) return NULL;
    IM3Runtime runtime = m3_NewRuntime(environment, stack_bytes + CALL_SLOTS * 8, NULL);
    if (runtime != NULL) runtime->numStackSlots = stack_bytes / sizeof(m3slot_t);
    return runtime;
}

void interpreter_limit_memory(IM3Runtime runtime, uint32_t bytes)
{
    runtime->memoryLimit = bytes;
}

/* 0.5.0 finds the memory by runtime and counts its bytes in 32 bits; 0.9.1 by module and in a size_t. */
typedef uint8_t *(*GetByRuntime)(IM3Runtime, uint32_t *, uint32_t);
typedef uint8_t *(*GetByModule)(IM3Module, size_t *, uint32_t);

static uint8_t *memory_by_runtime(void (*get)(void), IM3Runtime runtime, IM3Module module, size_t *size)
{
    (void)module;
    uint32_t bytes = 0;
    uint8_t *memory = ((GetByRuntime)get)(runtime, &bytes, 0);
    *size = bytes;
    return memory;
}

static uint8_t *memory_by_module(void (*get)(void), IM3Runtime runtime, IM3Module module, size_t *size)
{
    (void)runtime;
    return ((GetByModule)get)(module, size, 0);
}

uint8_t *interpreter_memory(IM3Runtime runtime, IM3Module module, size_t *size)
{
    *size = 0;
    uint8_t *memory = _Generic(&m3_GetMemory, GetByRuntime: memory_by_runtime, GetByModule: memory_by_module)(
        (void (*)(void))&m3_GetMemory, runtime, module, size);
    if (memory == NULL) *size = 0;
    return memory;
}

bool interpreter_unlinked(IM3Module module, const char **module_name, const char **name)
{
    for (uint32_t i = 0; i < module->numFuncImports; i++) {
        IM3Function function = &module->functions[i];
        if (function->compiled != NULL) continue;
        *module_name = function->import.moduleUtf8;
        *name = function->import.fieldUtf8;
        return true;
    }
    return false;
}

M3Result interpreter_load(IM3Runtime runtime, IM3Module module)
{
    M3Result result = m3_LoadModule(runtime, module);
#if M3_VERSION_MAJOR == 0 && M3_VERSION_MINOR < 9
    /* Up to 0.5.0 a module that failed to load stays the caller's; since then it is the runtime's either way. */
    if (result) m3_FreeModule(module);
#endif
    return result;
}
