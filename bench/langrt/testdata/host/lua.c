// Lua 5.4, through its C API.

#include "bench.h"

#include <lauxlib.h>
#include <lua.h>

static lua_State *L;

bool lua_start(void);
bool lua_start(void) { return (L = luaL_newstate()) != NULL; }

static void numbers(int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, i);
    lua_rawseti(L, -2, i + 1);
  }
}

static double array_get(long n) {
  uint64_t sum = 0;
  numbers(HOT);
  double t = cpu();
  for (long i = 0; i < n; i++) {
    lua_rawgeti(L, -1, (i & (HOT - 1)) + 1);
    sum += (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  t = cpu() - t;
  KEEP(sum);
  lua_pop(L, 1);
  return t / (double)n;
}

static double array_set(long n) {
  numbers(HOT);
  double t = cpu();
  for (long i = 0; i < n; i++) {
    lua_pushinteger(L, i);
    lua_rawseti(L, -2, (i & (HOT - 1)) + 1);
  }
  t = cpu() - t;
  lua_pop(L, 1);
  return t / (double)n;
}

static double push(long n) {
  double t = cpu();
  lua_createtable(L, 0, 0);
  for (long i = 0; i < n; i++) {
    lua_pushinteger(L, i);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pop(L, 1);
  lua_gc(L, LUA_GCCOLLECT);
  return (cpu() - t) / (double)n;
}

static double new8(long n) {
  double t = cpu();
  for (long k = 0; k < n; k++) {
    lua_createtable(L, 0, 0);
    for (int i = 0; i < 8; i++) {
      lua_pushinteger(L, i);
      lua_rawseti(L, -2, i + 1);
    }
    lua_pop(L, 1);
  }
  lua_gc(L, LUA_GCCOLLECT);
  return (cpu() - t) / (double)n;
}

static void dict(long n) {
  lua_createtable(L, 0, 0);
  for (long i = 0; i < n; i++) {
    lua_pushinteger(L, i);
    lua_rawseti(L, -2, (lua_Integer)number((uint64_t)i) + 5000000); // beyond what it would keep as an array
  }
}

static double dict_int_set(long n) {
  double t = cpu();
  dict(n);
  t = cpu() - t;
  lua_pop(L, 1);
  lua_gc(L, LUA_GCCOLLECT);
  return t / (double)n;
}

static double dict_int_get(long n) {
  uint64_t x = 88172645463325252ULL, sum = 0;
  dict(MANY);
  double t = cpu();
  for (long i = 0; i < n; i++) {
    lua_rawgeti(L, -1, (lua_Integer)number(next(&x) % MANY) + 5000000);
    sum += (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  t = cpu() - t;
  KEEP(sum);
  lua_pop(L, 1);
  lua_gc(L, LUA_GCCOLLECT);
  return t / (double)n;
}

static double dict_string_get(long n) {
  uint64_t sum = 0;
  lua_createtable(L, KEYS, 0);
  lua_createtable(L, 0, 0);
  for (int i = 0; i < KEYS; i++) {
    lua_pushlstring(L, keys[i], key_len[i]);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -4, i + 1);
    lua_pushinteger(L, i);
    lua_rawset(L, -3);
  }
  double t = cpu();
  for (long i = 0; i < n; i++) {
    lua_rawgeti(L, -2, scattered(i) + 1);
    lua_rawget(L, -2);
    sum += (uint64_t)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  t = cpu() - t;
  KEEP(sum);
  lua_pop(L, 2);
  return t / (double)n;
}

static double string_new(long n) {
  uint64_t sum = 0;
  double t = cpu();
  for (long i = 0; i < n; i++) {
    lua_pushlstring(L, keys[i & (KEYS - 1)], 16);
    sum += lua_rawlen(L, -1);
    lua_pop(L, 1);
  }
  t = cpu() - t;
  KEEP(sum);
  return t / (double)n;
}

static double concat(long n) {
  lua_pushlstring(L, keys[0], 16);
  lua_pushlstring(L, keys[1], 16);
  double t = cpu();
  for (long i = 0; i < n; i++) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_concat(L, 2);
    lua_pop(L, 1);
  }
  t = cpu() - t;
  lua_pop(L, 2);
  return t / (double)n;
}

static double object_new(long n) {
  double t = cpu();
  for (long i = 0; i < n; i++) {
    lua_createtable(L, 2, 0);
    lua_pop(L, 1);
  }
  lua_gc(L, LUA_GCCOLLECT);
  return (cpu() - t) / (double)n;
}

static double bytes_string(long n) {
  lua_createtable(L, (int)n, 0);
  for (long i = 0; i < n; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, i + 1);
  }
  lua_gc(L, LUA_GCCOLLECT);
  double b = lua_gc(L, LUA_GCCOUNT) * 1024.0;
  for (long i = 0; i < n; i++) {
    char unlike[16]; // equal strings would be one
    for (int j = 0; j < 16; j++) unlike[j] = (char)('a' + (i >> 4 * (j & 7) & 15));
    lua_pushlstring(L, unlike, 16);
    lua_rawseti(L, -2, i + 1);
  }
  b = lua_gc(L, LUA_GCCOUNT) * 1024.0 - b;
  lua_pop(L, 1);
  lua_gc(L, LUA_GCCOLLECT);
  return b / (double)n;
}

const side lua_sides[] = {
    {"array-get", "lua", array_get, 2000000},
    {"array-set", "lua", array_set, 1000000},
    {"push", "lua", push, 1 << 20},
    {"new-8-push-free", "lua", new8, 100000},
    {"dict-int-set", "lua", dict_int_set, MANY},
    {"dict-int-get", "lua", dict_int_get, 4 * MANY},
    {"dict-string-get", "lua", dict_string_get, 20 * KEYS},
    {"string-new-free", "lua", string_new, 300000},
    {"concat-free", "lua", concat, 300000},
    {"objects-1k-new-free", "lua", object_new, 300000},
    {"bytes-string-16", "lua", bytes_string, 1000000},
    END,
};
