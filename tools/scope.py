"""Which of torch's names docs/coverage.md does not count, and why."""

import re

# What is not counted: (reason, where, pattern of the whole name). The first that fits says why.
SCOPE = [
    ("removed: torch's raises an error that says so", "torch|Tensor", "eig|symeig|lstsq|solve|matrix_rank"),
    ("sparse tensors", ".*", r".*sparse.*|(c?col_|c?row_|crow_|)(indices|values)(_copy)?|(is_)?coalesced?|dense_dim"),
    ("sparse tensors", ".*", r"smm|hsmm|dsmm|spmm|hspmm|saddmm|sspaddmm|to_mkldnn"),
    ("nested tensors", ".*", r"to_padded_tensor"),
    ("tensors of first-class dims", "Tensor", r"index"),
    ("complex32, which NumPy has not", "Tensor", r"chalf"),
    ("no kernel for dense tensors in torch either", "torch", r"native_norm"),
    ("quantised tensors", ".*", r".*quantized?(_.*)?|.*_quant|q_.*|qscheme|int_repr|choose_qparams_optimized"),
    ("quantised tensors", "torch", r"fbgemm_.*"),
    ("internals of cuDNN, MIOpen and MKL-DNN", ".*", r"(cudnn|miopen|mkldnn)_.*"),
    ("parts of batch norm over several GPUs", "torch", r"batch_norm_.*"),
    ("low-precision products of particular GPUs", ".*", r"scaled_mm|grouped_mm|scaled_grouped_mm"),
    ("symbolic sizes", "torch", r"sym_.*"),
    ("autocast is a mode, no operation", "torch", r".*autocast.*"),
    ("programs: TorchScript, torch.compile and their control flow", "torch", r"compile|cond|while_loop|fork|wait|parse_.*"),
    ("programs: TorchScript, torch.compile and their control flow", "torch", r"import_ir.*|(merge|unify)_type.*"),
    ("files and processes", ".*", r"save|load|share_memory_|get_file_path|prepare_multi.*|from_file"),
    ("other devices", "Tensor", r"cuda|xpu|ipu|mtia|record_stream|is_(cuda|xpu|ipu|mtia|maia|mps|xla|vulkan|meta|mkldnn|nested|cpu)"),
    ("helpers of torch's own code", "torch.nn.functional", r"assert_int_or_pair|boolean_dispatch|(has|handle)_torch_.*"),
    ("helpers of torch's own code", "torch", r"classproperty|thread_safe_generator|profiler_.*|vmap|typename"),
    ("settings and the state of the library", "torch", r"(set|get)_.*|(are|use)_deterministic.*|init_num_threads|.*_seed|seed"),
    ("settings and the state of the library", "torch", r"compiled_with_cxx11_abi"),
    ("questions, with answers that are no tensors", ".*", r"is_.*|can_cast|promote_types|result_type|broadcast_shapes|numel"),
    ("a tensor's type, memory and graph", "Tensor", r"data|device|dim(_order)?|dtype|element_size|get_device|item(size)?|layout"),
    ("a tensor's type, memory and graph", "Tensor", r"name|nbytes|n?dim(ension)?|nelement|numel|numpy|output_nr|shape|size|stride"),
    ("a tensor's type, memory and graph", "Tensor", r"requires_grad_?|retains?_grad|grad(_dtype|_fn)?|register_.*|backward|.*data_ptr"),
    ("a tensor's type, memory and graph", "Tensor", r"(untyped_)?storage(_offset|_type)?|tolist|module_load|as_subclass|volatile|reinforce"),
]  # fmt: skip


def reason(space: str, name: str) -> str | None:
    """Why a name does not count, or None if it does."""
    for why, where, pattern in SCOPE:
        if re.fullmatch(where, space) and re.fullmatch(pattern, name):
            return why
    return None
