"""Trees of containers under PyTorch's name: see `chainrule.pytree`."""

from chainrule.pytree import (
    SUPPORTED_NODES,
    LeafSpec,
    PyTree,
    TreeSpec,
    _broadcast_to_and_flatten,
    arg_tree_leaves,
    map_only,
    register_pytree_node,
    tree_all,
    tree_all_only,
    tree_any,
    tree_any_only,
    tree_flatten,
    tree_is_leaf,
    tree_iter,
    tree_leaves,
    tree_map,
    tree_map_,
    tree_map_only,
    tree_map_only_,
    tree_structure,
    tree_unflatten,
    treespec_leaf,
    treespec_pprint,
)

_register_pytree_node = register_pytree_node

__all__ = [
    "SUPPORTED_NODES", "LeafSpec", "PyTree", "TreeSpec", "_broadcast_to_and_flatten",
    "arg_tree_leaves", "map_only", "register_pytree_node", "tree_all", "tree_all_only",
    "tree_any", "tree_any_only", "tree_flatten", "tree_is_leaf", "tree_iter", "tree_leaves",
    "tree_map", "tree_map_", "tree_map_only", "tree_map_only_", "tree_structure",
    "tree_unflatten", "treespec_leaf", "treespec_pprint",
]  # fmt: skip
