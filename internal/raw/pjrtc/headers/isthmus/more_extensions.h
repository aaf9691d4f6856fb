/* Structs of the PJRT extensions whose upstream headers cannot be compiled alone. See headers/README.md.

   Licensed under the Apache License, Version 2.0. */
#ifndef ISTHMUS_MORE_EXTENSIONS_H_
#define ISTHMUS_MORE_EXTENSIONS_H_

#include "xla/pjrt/c/pjrt_c_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Cross-host transfers, extension 12. */

typedef void (*PJRT_Transfers_CrossHostRecvNotifier)(
    PJRT_Error* error, const char** serialized_descriptors,
    size_t* descriptors_sizes, size_t num_descriptors, void* user_arg);

typedef struct PJRT_Transfers_CrossHostRecvNotifierInfo {
  void* user_arg;
  PJRT_Transfers_CrossHostRecvNotifier notifier;
} PJRT_Transfers_CrossHostRecvNotifierInfo;
PJRT_DEFINE_STRUCT_TRAITS(PJRT_Transfers_CrossHostRecvNotifierInfo, notifier);

typedef void (*PJRT_Transfers_CrossHostOnDoneCallback)(
    PJRT_Error* error, bool sends_were_enqueued, void* user_arg);

typedef struct PJRT_Transfers_CrossHostRemoteSendCallbackInfo {
  void* user_arg;
  PJRT_Transfers_CrossHostOnDoneCallback on_done;
} PJRT_Transfers_CrossHostRemoteSendCallbackInfo;
PJRT_DEFINE_STRUCT_TRAITS(PJRT_Transfers_CrossHostRemoteSendCallbackInfo,
                          on_done);

struct PJRT_Transfers_MakeCrossHostReceiveBuffers_Args {
  size_t struct_size;
  PJRT_Extension_Base* extension_start;
  PJRT_Client* client;
  size_t num_shapes;
  size_t* shape_num_dims;
  const int64_t** num_dims;
  PJRT_Buffer_Type* element_types;
  PJRT_Buffer_MemoryLayout** layouts;
  PJRT_Device* device;
  PJRT_Transfers_CrossHostRecvNotifierInfo notifier;
  PJRT_Buffer** buffers; /* out */
  size_t num_buffers;    /* out */
};
PJRT_DEFINE_STRUCT_TRAITS(PJRT_Transfers_MakeCrossHostReceiveBuffers_Args,
                          num_buffers);
typedef PJRT_Error* PJRT_Transfers_MakeCrossHostReceiveBuffers(
    PJRT_Transfers_MakeCrossHostReceiveBuffers_Args* args);

struct PJRT_Transfers_CopyToRemoteDevice_Args {
  size_t struct_size;
  PJRT_Extension_Base* extension_start;
  PJRT_Buffer* buffer;
  PJRT_Event* event;
  char** serialized_descriptor;
  size_t* serialized_descriptor_size;
  PJRT_Transfers_CrossHostRemoteSendCallbackInfo on_done;
  void (*descriptor_destructor)(char** serialized_descriptor,
                                size_t* serialized_descriptor_size);
};
PJRT_DEFINE_STRUCT_TRAITS(PJRT_Transfers_CopyToRemoteDevice_Args,
                          descriptor_destructor);
typedef void PJRT_Transfers_CopyToRemoteDevice(
    PJRT_Transfers_CopyToRemoteDevice_Args* args);

struct PJRT_Transfers_CrossHostReceiveBuffers_Args {
  size_t struct_size;
  PJRT_Extension_Base* extension_start;
  PJRT_Client* client;
  size_t num_shapes;
  size_t* shape_num_dims;
  const int64_t** num_dims;
  PJRT_Buffer_Type* element_types;
  PJRT_Buffer_MemoryLayout** layouts;
  PJRT_Device* device;
  const int32_t* src_global_device_ids;
  const int64_t* transfer_keys;
  PJRT_Buffer** buffers; /* out */
};
PJRT_DEFINE_STRUCT_TRAITS(PJRT_Transfers_CrossHostReceiveBuffers_Args, buffers);
typedef PJRT_Error* PJRT_Transfers_CrossHostReceiveBuffers(
    PJRT_Transfers_CrossHostReceiveBuffers_Args* args);

struct PJRT_Transfers_CrossHostSendBuffers_Args {
  size_t struct_size;
  PJRT_Extension_Base* extension_start;
  PJRT_Client* client;
  size_t num_buffers;
  PJRT_Buffer** buffers;
  const int32_t* dst_global_device_ids;
  const int64_t* transfer_keys;
  PJRT_Event** send_events; /* out */
};
PJRT_DEFINE_STRUCT_TRAITS(PJRT_Transfers_CrossHostSendBuffers_Args,
                          send_events);
typedef PJRT_Error* PJRT_Transfers_CrossHostSendBuffers(
    PJRT_Transfers_CrossHostSendBuffers_Args* args);

typedef struct PJRT_CrossHostTransfers_Extension {
  PJRT_Extension_Base base;
  PJRT_Transfers_MakeCrossHostReceiveBuffers* make_cross_host_receive_buffers;
  PJRT_Transfers_CopyToRemoteDevice* copy_to_remote_device;
  PJRT_Transfers_CrossHostReceiveBuffers* cross_host_receive_buffers;
  PJRT_Transfers_CrossHostSendBuffers* cross_host_send_buffers;
} PJRT_CrossHostTransfers_Extension;
PJRT_DEFINE_STRUCT_TRAITS(PJRT_CrossHostTransfers_Extension,
                          cross_host_send_buffers);

/* Executable metadata, extension 13. Its argument structs have no struct_size. */

typedef struct PJRT_ExecutableMetadata {
  char* serialized_metadata;
  size_t serialized_metadata_size;
} PJRT_ExecutableMetadata;

struct PJRT_ExecutableMetadata_GetExecutableMetadata_Args {
  PJRT_Executable* executable;
  PJRT_ExecutableMetadata* metadata; /* out */
};
PJRT_DEFINE_STRUCT_TRAITS(PJRT_ExecutableMetadata_GetExecutableMetadata_Args,
                          metadata);
typedef PJRT_Error* PJRT_ExecutableMetadata_GetExecutableMetadata(
    PJRT_ExecutableMetadata_GetExecutableMetadata_Args* args);

struct PJRT_ExecutableMetadata_DestroySerializedMetadata_Args {
  PJRT_ExecutableMetadata* metadata;
};
PJRT_DEFINE_STRUCT_TRAITS(
    PJRT_ExecutableMetadata_DestroySerializedMetadata_Args, metadata);
typedef void PJRT_ExecutableMetadata_DestroySerializedMetadata(
    PJRT_ExecutableMetadata_DestroySerializedMetadata_Args* args);

typedef struct PJRT_ExecutableMetadata_Extension {
  PJRT_Extension_Base base;
  PJRT_ExecutableMetadata_GetExecutableMetadata* get_executable_metadata;
  PJRT_ExecutableMetadata_DestroySerializedMetadata*
      destroy_serialized_metadata;
} PJRT_ExecutableMetadata_Extension;
PJRT_DEFINE_STRUCT_TRAITS(PJRT_ExecutableMetadata_Extension,
                          destroy_serialized_metadata);

/* Host memory allocator, extension 23. */

struct PJRT_HostMemoryAllocator_Allocate_Args {
  size_t struct_size;
  PJRT_Extension_Base* extension_start;
  PJRT_Client* client;
  size_t size;
  int numa_node;
  uint8_t* ptr;                          /* out */
  void (*deleter)(void* ptr, void* arg); /* out */
  void* deleter_arg;                     /* out */
};
PJRT_DEFINE_STRUCT_TRAITS(PJRT_HostMemoryAllocator_Allocate_Args, deleter_arg);
typedef PJRT_Error* PJRT_HostMemoryAllocator_Allocate(
    PJRT_HostMemoryAllocator_Allocate_Args* args);

typedef struct PJRT_HostMemoryAllocator_Extension {
  PJRT_Extension_Base base;
  PJRT_HostMemoryAllocator_Allocate* allocate;
} PJRT_HostMemoryAllocator_Extension;
PJRT_DEFINE_STRUCT_TRAITS(PJRT_HostMemoryAllocator_Extension, allocate);

/* Example, extension 10. Its argument structs have no struct_size. */

typedef struct PJRT_ExampleExtensionCpp PJRT_ExampleExtensionCpp;

struct PJRT_ExampleExtension_ExampleMethod_Args {
  PJRT_ExampleExtensionCpp* extension_cpp;
  int64_t value;
};
PJRT_DEFINE_STRUCT_TRAITS(PJRT_ExampleExtension_ExampleMethod_Args, value);

struct PJRT_ExampleExtension_CreateExampleExtensionCpp_Args {
  PJRT_ExampleExtensionCpp* extension_cpp; /* out of create, in of destroy */
};
PJRT_DEFINE_STRUCT_TRAITS(PJRT_ExampleExtension_CreateExampleExtensionCpp_Args,
                          extension_cpp);

typedef struct PJRT_Example_Extension {
  PJRT_Extension_Base base;
  PJRT_Error* (*example_method)(PJRT_ExampleExtension_ExampleMethod_Args* args);
  PJRT_Error* (*create)(
      PJRT_ExampleExtension_CreateExampleExtensionCpp_Args* args);
  PJRT_Error* (*destroy)(
      PJRT_ExampleExtension_CreateExampleExtensionCpp_Args* args);
} PJRT_Example_Extension;
PJRT_DEFINE_STRUCT_TRAITS(PJRT_Example_Extension, destroy);

#ifdef __cplusplus
}
#endif

#endif /* ISTHMUS_MORE_EXTENSIONS_H_ */
