/*
 * The Node binding of wasm3: `new Runtime(wasm, memoryLimit, imports)`, wrapped and described by runtime.ts.
 *
 * - A Runtime owns a copy of the wasm bytes, wasm3's environment, runtime and module, and the links to its imports. They
 *   are freed by close(), or by the collector together with the JavaScript object.
 * - The imported callbacks live on the JavaScript object, not behind references of ours: a callback that refers to its
 *   own Runtime is then a cycle the collector can see.
 * - wasm3 starts each call at the bottom of its stack, so a call from within an import is refused, as is close().
 *   read() and write() are welcome there.
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interpreter.h"

enum { MAX_ARGUMENTS = INTERPRETER_MAX_ARGUMENTS, MAX_NAME = 128 };
/* Of wasm3's value stack: more than any module that runtime.ts lets through can need, 20 frames of 50 values of 8 bytes. */
enum { STACK_BYTES = 64 * 1024 };

static const napi_type_tag RUNTIME_TAG = {0x6d6f74652d776173ULL, 0x6d332d72756e7469ULL};
static const char *const IMPORT_FAILED = "[trap] imported function failed";

struct Runtime;

typedef struct {
    struct Runtime *runtime;
    uint32_t index; /* in the array of callbacks */
    uint32_t argument_count;
    bool has_result;
} Import;

typedef struct Runtime {
    uint8_t *wasm; /* wasm3 reads the module's bytes as long as it lives */
    IM3Environment environment;
    IM3Runtime interpreter;
    IM3Module module;
    Import *imports;
    int64_t external_bytes; /* told to the collector */
    bool running;
    /* While running: the environment and the object of the call. */
    napi_env env;
    napi_value self;
} Runtime;

/* --- errors ------------------------------------------------------------------------------------------------------ */

static napi_value throw_error(napi_env env, const char *message)
{
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_error(env, NULL, message);
    return NULL;
}

static napi_value throw_type_error(napi_env env, const char *message)
{
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (!pending) napi_throw_type_error(env, NULL, message);
    return NULL;
}

/* wasm3's message, with its detail where it has one: "[trap] stack overflow", "missing imported function: 'env.f'". */
static napi_value throw_result(napi_env env, IM3Runtime interpreter, M3Result result)
{
    char text[512];
    M3ErrorInfo info = {0};
    if (interpreter != NULL) m3_GetErrorInfo(interpreter, &info);
    if (info.message != NULL && info.message[0] != '\0' && info.result == result) {
        snprintf(text, sizeof text, "%s: %s", result, info.message);
    } else {
        snprintf(text, sizeof text, "%s", result);
    }
    return throw_error(env, text);
}

/* --- life and death ---------------------------------------------------------------------------------------------- */

static void release(napi_env env, Runtime *runtime)
{
    int64_t total;
    if (runtime->external_bytes != 0) napi_adjust_external_memory(env, -runtime->external_bytes, &total);
    if (runtime->interpreter != NULL) m3_FreeRuntime(runtime->interpreter); /* and the module in it */
    if (runtime->environment != NULL) m3_FreeEnvironment(runtime->environment);
    free(runtime->imports);
    free(runtime->wasm);
    memset(runtime, 0, sizeof *runtime);
}

static void finalize(napi_env env, void *data, void *hint)
{
    (void)hint;
    release(env, data);
    free(data);
}

/* The Runtime of `this`, with its arguments; NULL with an exception pending. */
static Runtime *receiver(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv, napi_value *self)
{
    bool tagged = false;
    Runtime *runtime = NULL;
    napi_valuetype type;
    if (napi_get_cb_info(env, info, argc, argv, self, NULL) != napi_ok || napi_typeof(env, *self, &type) != napi_ok ||
        type != napi_object || napi_check_object_type_tag(env, *self, &RUNTIME_TAG, &tagged) != napi_ok || !tagged ||
        napi_unwrap(env, *self, (void **)&runtime) != napi_ok) {
        throw_type_error(env, "wasm3: not a Runtime");
        return NULL;
    }
    if (runtime->interpreter == NULL) {
        throw_error(env, "wasm3: the Runtime is closed");
        return NULL;
    }
    return runtime;
}

/* --- imports ----------------------------------------------------------------------------------------------------- */

static const void *call_import(IM3Runtime interpreter, IM3ImportContext context, uint64_t *stack, void *memory)
{
    (void)interpreter;
    (void)memory;
    const Import *import = context->userdata;
    Runtime *runtime = import->runtime;
    napi_env env = runtime->env;
    const uint64_t *arguments = stack + (import->has_result ? 1 : 0);
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return IMPORT_FAILED;

    napi_value callbacks, callback, undefined, returned, values[MAX_ARGUMENTS];
    bool ok = napi_get_named_property(env, runtime->self, "callbacks", &callbacks) == napi_ok &&
              napi_get_element(env, callbacks, import->index, &callback) == napi_ok &&
              napi_get_undefined(env, &undefined) == napi_ok;
    for (uint32_t i = 0; ok && i < import->argument_count; i++) {
        ok = napi_create_int32(env, (int32_t)(uint32_t)arguments[i], &values[i]) == napi_ok;
    }
    ok = ok && napi_call_function(env, undefined, callback, import->argument_count, values, &returned) == napi_ok;
    if (ok && import->has_result) {
        int32_t result = 0;
        ok = napi_get_value_int32(env, returned, &result) == napi_ok;
        if (ok) stack[0] = (uint32_t)result;
        else napi_throw_type_error(env, NULL, "wasm3: an imported function returned something other than a number");
    }
    napi_close_handle_scope(env, scope);
    /* An exception stays pending across the trap: no JavaScript runs before call() returns to it. */
    return ok ? m3Err_none : IMPORT_FAILED;
}

/* Links import `index`, [name "module.function", signature such as "i(iii)", callback]; false with an exception pending. */
static bool link_import(napi_env env, Runtime *runtime, napi_value entry, uint32_t index, napi_value callbacks)
{
    char name[MAX_NAME], signature[MAX_ARGUMENTS + 4];
    size_t name_length, signature_length;
    napi_value name_value, signature_value, callback;
    napi_valuetype type;
    if (napi_get_element(env, entry, 0, &name_value) != napi_ok || napi_get_element(env, entry, 1, &signature_value) != napi_ok ||
        napi_get_element(env, entry, 2, &callback) != napi_ok ||
        napi_get_value_string_utf8(env, name_value, name, sizeof name, &name_length) != napi_ok ||
        napi_get_value_string_utf8(env, signature_value, signature, sizeof signature, &signature_length) != napi_ok ||
        napi_typeof(env, callback, &type) != napi_ok || type != napi_function) {
        throw_type_error(env, "wasm3: an import is [\"module.function\", \"signature\", function]");
        return false;
    }
    char *dot = strchr(name, '.');
    size_t parameters = signature_length - 3; /* what is left of "i(…)" */
    bool well_formed = dot != NULL && name_length < MAX_NAME - 1 && signature_length >= 3 && parameters <= MAX_ARGUMENTS &&
                       (signature[0] == 'i' || signature[0] == 'v') && signature[1] == '(' &&
                       strspn(signature + 2, "i") == parameters && signature[signature_length - 1] == ')';
    if (!well_formed) {
        throw_type_error(env, "wasm3: an import's name is \"module.function\", its signature i(…) or v(…) with at most 8 times i");
        return false;
    }
    *dot = '\0';
    Import *import = &runtime->imports[index];
    *import = (Import){runtime, index, (uint32_t)parameters, signature[0] == 'i'};
    if (napi_set_element(env, callbacks, index, callback) != napi_ok) return false;
    M3Result result = m3_LinkRawFunctionEx(runtime->module, name, dot + 1, signature, call_import, import);
    if (result && result != m3Err_functionLookupFailed) { /* a module need not use what it is offered */
        throw_result(env, runtime->interpreter, result);
        return false;
    }
    return true;
}

static bool link_imports(napi_env env, Runtime *runtime, napi_value self, napi_value entries)
{
    bool is_array = false;
    uint32_t count = 0;
    napi_value callbacks;
    napi_is_array(env, entries, &is_array);
    if (!is_array || napi_get_array_length(env, entries, &count) != napi_ok) {
        throw_type_error(env, "wasm3: imports must be an array");
        return false;
    }
    if (napi_create_array_with_length(env, count, &callbacks) != napi_ok) return false;
    runtime->imports = calloc(count + 1, sizeof *runtime->imports);
    if (runtime->imports == NULL) {
        throw_error(env, "wasm3: out of memory");
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        napi_value entry;
        if (napi_get_element(env, entries, i, &entry) != napi_ok || !link_import(env, runtime, entry, i, callbacks)) return false;
    }
    napi_property_descriptor property = {.utf8name = "callbacks", .value = callbacks, .attributes = napi_default};
    return napi_define_properties(env, self, 1, &property) == napi_ok;
}

/* --- the class --------------------------------------------------------------------------------------------------- */

static bool get_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length)
{
    bool is_typed_array = false;
    napi_typedarray_type type;
    napi_is_typedarray(env, value, &is_typed_array);
    return is_typed_array && napi_get_typedarray_info(env, value, &type, length, (void **)bytes, NULL, NULL) == napi_ok &&
           (type == napi_uint8_array || type == napi_int8_array);
}

/* Parses, loads, links and compiles everything: 0.5.0 finds an unsupported opcode only when it compiles the function. */
static bool start_module(napi_env env, Runtime *runtime, napi_value self, uint32_t size, uint32_t memory_limit,
                         napi_value imports)
{
    runtime->environment = m3_NewEnvironment();
    if (runtime->environment != NULL) runtime->interpreter = interpreter_new(runtime->environment, STACK_BYTES);
    if (runtime->interpreter == NULL) {
        throw_error(env, "wasm3: out of memory");
        return false;
    }
    interpreter_limit_memory(runtime->interpreter, memory_limit);
    M3Result result = m3_ParseModule(runtime->environment, &runtime->module, runtime->wasm, size);
    if (!result) result = interpreter_load(runtime->interpreter, runtime->module);
    if (result) {
        throw_result(env, runtime->interpreter, result);
        return false;
    }
    if (!link_imports(env, runtime, self, imports)) return false;
    const char *module_name, *name;
    if (interpreter_unlinked(runtime->module, &module_name, &name)) {
        char text[512];
        snprintf(text, sizeof text, "missing imported function: '%s.%s'", module_name, name);
        throw_error(env, text);
        return false;
    }
    m3_ResetErrorInfo(runtime->interpreter);
    result = m3_CompileModule(runtime->module);
    if (result) throw_result(env, runtime->interpreter, result);
    return !result;
}

/* new Runtime(wasm, memoryLimit, imports) */
static napi_value construct(napi_env env, napi_callback_info info)
{
    size_t argc = 3, size;
    napi_value argv[3], self, target;
    uint8_t *bytes;
    uint32_t memory_limit;
    if (napi_get_cb_info(env, info, &argc, argv, &self, NULL) != napi_ok) return NULL;
    napi_get_new_target(env, info, &target);
    if (target == NULL || argc != 3 || !get_bytes(env, argv[0], &bytes, &size) || size > UINT32_MAX ||
        napi_get_value_uint32(env, argv[1], &memory_limit) != napi_ok) {
        return throw_type_error(env, "wasm3: expected new Runtime(Uint8Array, memoryLimit, imports)");
    }
    Runtime *runtime = calloc(1, sizeof *runtime);
    if (runtime != NULL) runtime->wasm = malloc(size + 1);
    if (runtime == NULL || runtime->wasm == NULL) {
        free(runtime);
        return throw_error(env, "wasm3: out of memory");
    }
    memcpy(runtime->wasm, bytes, size);
    /* From here on the collector frees it, also when what follows fails. */
    if (napi_wrap(env, self, runtime, finalize, NULL, NULL) != napi_ok) {
        finalize(env, runtime, NULL);
        return throw_error(env, "wasm3: napi_wrap failed");
    }
    if (napi_type_tag_object(env, self, &RUNTIME_TAG) != napi_ok ||
        !start_module(env, runtime, self, (uint32_t)size, memory_limit, argv[2])) {
        release(env, runtime);
        return throw_error(env, "wasm3: the module could not be started");
    }
    size_t memory_size;
    int64_t total;
    interpreter_memory(runtime->interpreter, runtime->module, &memory_size);
    runtime->external_bytes = (int64_t)memory_size + (int64_t)size + STACK_BYTES;
    napi_adjust_external_memory(env, runtime->external_bytes, &total);
    return self;
}

/* call(name, ...i32): i32, or undefined where the function has no result */
static napi_value call(napi_env env, napi_callback_info info)
{
    size_t argc = 1 + MAX_ARGUMENTS, name_length;
    napi_value argv[1 + MAX_ARGUMENTS], self, value = NULL;
    char name[MAX_NAME];
    int32_t arguments[MAX_ARGUMENTS], returned = 0;
    const void *pointers[MAX_ARGUMENTS];
    Runtime *runtime = receiver(env, info, &argc, argv, &self);
    if (runtime == NULL) return NULL;
    if (runtime->running) return throw_error(env, "wasm3: call() from within an imported function");
    if (argc < 1 || argc > 1 + MAX_ARGUMENTS || napi_get_value_string_utf8(env, argv[0], name, sizeof name, &name_length) != napi_ok) {
        return throw_type_error(env, "wasm3: expected call(name, at most 8 numbers)");
    }
    for (size_t i = 1; i < argc; i++) {
        if (napi_get_value_int32(env, argv[i], &arguments[i - 1]) != napi_ok) {
            return throw_type_error(env, "wasm3: expected call(name, at most 8 numbers)");
        }
        pointers[i - 1] = &arguments[i - 1];
    }

    m3_ResetErrorInfo(runtime->interpreter);
    runtime->env = env;
    runtime->self = self;
    runtime->running = true; /* m3_FindFunction may already run the module's start function */
    IM3Function function;
    M3Result result = m3_FindFunction(&function, runtime->interpreter, name);
    bool only_i32 = !result && m3_GetRetCount(function) <= 1;
    if (only_i32 && m3_GetRetCount(function) == 1) only_i32 = m3_GetRetType(function, 0) == c_m3Type_i32;
    for (uint32_t i = 0; only_i32 && i < m3_GetArgCount(function); i++) only_i32 = m3_GetArgType(function, i) == c_m3Type_i32;
    if (!result && !only_i32) result = m3Err_argumentTypeMismatch;
    if (!result) result = m3_Call(function, (uint32_t)(argc - 1), pointers);
    if (!result && m3_GetRetCount(function) == 1) {
        const void *results[1] = {&returned};
        result = m3_GetResults(function, 1, results);
        if (!result) napi_create_int32(env, returned, &value);
    }
    runtime->running = false;
    if (result) return throw_result(env, runtime->interpreter, result); /* or what an import threw */
    return value;
}

/* The span [address, address + length) of linear memory; NULL with an exception pending when it is not all inside. */
static uint8_t *span(napi_env env, Runtime *runtime, napi_value address_value, size_t length)
{
    double address;
    size_t size;
    if (napi_get_value_double(env, address_value, &address) != napi_ok) {
        throw_type_error(env, "wasm3: an address must be a number");
        return NULL;
    }
    uint8_t *memory = interpreter_memory(runtime->interpreter, runtime->module, &size);
    if (!(address >= 0 && address <= (double)size && length <= size - (size_t)address)) {
        char text[128];
        snprintf(text, sizeof text, "wasm3: %zu bytes at %.0f are not inside the %zu bytes of linear memory", length, address, size);
        napi_throw_range_error(env, NULL, text);
        return NULL;
    }
    return memory + (size_t)address;
}

/* read(address, length): a copy, Uint8Array */
static napi_value read_memory(napi_env env, napi_callback_info info)
{
    size_t argc = 2;
    napi_value argv[2], self, buffer, array;
    uint32_t length;
    void *data;
    Runtime *runtime = receiver(env, info, &argc, argv, &self);
    if (runtime == NULL) return NULL;
    if (argc != 2 || napi_get_value_uint32(env, argv[1], &length) != napi_ok) {
        return throw_type_error(env, "wasm3: expected read(address, length)");
    }
    const uint8_t *source = span(env, runtime, argv[0], length);
    if (source == NULL) return throw_error(env, "wasm3: the module has no memory");
    if (napi_create_arraybuffer(env, length, &data, &buffer) != napi_ok) return throw_error(env, "wasm3: out of memory");
    if (length > 0) memcpy(data, source, length);
    if (napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array) != napi_ok) return NULL;
    return array;
}

/* write(address, bytes) */
static napi_value write_memory(napi_env env, napi_callback_info info)
{
    size_t argc = 2, length;
    napi_value argv[2], self;
    uint8_t *bytes;
    Runtime *runtime = receiver(env, info, &argc, argv, &self);
    if (runtime == NULL) return NULL;
    if (argc != 2 || !get_bytes(env, argv[1], &bytes, &length)) {
        return throw_type_error(env, "wasm3: expected write(address, Uint8Array)");
    }
    uint8_t *target = span(env, runtime, argv[0], length);
    if (target == NULL) return throw_error(env, "wasm3: the module has no memory");
    if (length > 0) memcpy(target, bytes, length);
    return NULL;
}

/* memoryBytes: the bytes that can be accessed now, the limit applied */
static napi_value memory_bytes(napi_env env, napi_callback_info info)
{
    size_t argc = 0, size;
    napi_value self, value;
    Runtime *runtime = receiver(env, info, &argc, NULL, &self);
    if (runtime == NULL) return NULL;
    interpreter_memory(runtime->interpreter, runtime->module, &size);
    return napi_create_double(env, (double)size, &value) == napi_ok ? value : NULL;
}

/* close(): frees everything now; closing twice is allowed */
static napi_value close_runtime(napi_env env, napi_callback_info info)
{
    size_t argc = 0;
    napi_value self;
    bool tagged = false;
    Runtime *runtime = NULL;
    if (napi_get_cb_info(env, info, &argc, NULL, &self, NULL) != napi_ok ||
        napi_check_object_type_tag(env, self, &RUNTIME_TAG, &tagged) != napi_ok || !tagged ||
        napi_unwrap(env, self, (void **)&runtime) != napi_ok) {
        return throw_type_error(env, "wasm3: not a Runtime");
    }
    if (runtime->running) return throw_error(env, "wasm3: close() from within an imported function");
    release(env, runtime);
    return NULL;
}

NAPI_MODULE_INIT()
{
    const napi_property_descriptor members[] = {
        {.utf8name = "call", .method = call, .attributes = napi_default_method},
        {.utf8name = "read", .method = read_memory, .attributes = napi_default_method},
        {.utf8name = "write", .method = write_memory, .attributes = napi_default_method},
        {.utf8name = "close", .method = close_runtime, .attributes = napi_default_method},
        {.utf8name = "memoryBytes", .getter = memory_bytes, .attributes = napi_default},
    };
    napi_value constructor, version;
    if (napi_define_class(env, "Runtime", NAPI_AUTO_LENGTH, construct, NULL, sizeof members / sizeof *members, members,
                          &constructor) != napi_ok ||
        napi_create_string_utf8(env, M3_VERSION, NAPI_AUTO_LENGTH, &version) != napi_ok ||
        napi_set_named_property(env, exports, "Runtime", constructor) != napi_ok ||
        napi_set_named_property(env, exports, "version", version) != napi_ok) {
        return NULL;
    }
    return exports;
}
