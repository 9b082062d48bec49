"""What pages of `explain.attribute` say, in Chinese: see `words`."""

ATTRIBUTION = {
    "Saliency": "显著性图",
    "Gradient × input": "梯度 × 输入",
    "SmoothGrad": "SmoothGrad（平滑梯度）",
    "Integrated gradients": "积分梯度",
    "Guided back-propagation": "导向反向传播",
    "Deconvolution": "反卷积",
    "Grad-CAM": "Grad-CAM（梯度加权类激活图）",
    "Guided Grad-CAM": "导向 Grad-CAM",
    "Occlusion": "遮挡分析",
    "Layer-wise relevance propagation": "逐层相关性传播",
    "Attention rollout": "注意力展开",
    "class": "类别",
    "score": "得分",
    "layer": "层",
    "sum off by": "总和误差",
    "for": "支持",
    "against": "反对",
    "Attribution": "归因",
    "More rows": "其余行数",
}
