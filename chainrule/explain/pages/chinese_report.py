"""What reports and drawings say, in Chinese: see `words`."""

REPORT = {
    "input": "输入",
    "output": "输出",
    "parameters": "个参数",
    # what is left out
    "data": "数据",
    "this version knows no data set {name}": "此版本没有数据集 {name}",
    "the data set {name} is not on this machine; set CHAINRULE_DATA to its folder": (
        "本机没有数据集 {name}；请将 CHAINRULE_DATA 设为其所在文件夹"
    ),
    "the data here are not those of the training, their SHA-256 is another one: the numbers on "
    "this page are measured on those that are here": (
        "这里的数据与训练时的不同（SHA-256 不一致）：本页的数字是在现有数据上测得的"
    ),
    # headings
    "How it learned": "学习过程",
    "How well it does": "测试结果",
    "What it writes": "生成的文本",
    "Where it errs most": "误差最大的样本",
    "The network": "网络结构",
    "The mathematics": "数学推导",
    "Where this comes from": "可复现信息",
    "Left out": "未包含的部分",
    "Layers": "各层",
    # the verdict
    "{title} has {parameters} parameters.": "{title} 有 {parameters} 个参数。",
    "{title} has {parameters} parameters and was trained for {epochs} epochs.": (
        "{title} 有 {parameters} 个参数，训练了 {epochs} 轮。"
    ),
    "{title} has {parameters} parameters and was trained for {epochs} epochs on {rows} rows, in "
    "{time} on {cpu}.": (
        "{title} 有 {parameters} 个参数，在 {rows} 个样本上训练了 {epochs} 轮，"
        "用时 {time}（{cpu}）。"
    ),
    "On {rows} rows that it has not seen it explains {share} of the variance; it is off by {error} "
    "on average.": "在 {rows} 个未见过的样本上，它解释了方差的 {share}；平均绝对误差为 {error}。",
    "On text that it has not seen its perplexity is {perplexity}: it is as unsure as a free choice "
    "among that many of the {classes} symbols.": (
        "在未见过的文本上，困惑度为 {perplexity}：其不确定程度相当于在这么多个符号中随机选择"
        "（共有 {classes} 个符号）。"
    ),
    "Of {rows} rows that it has not seen it classifies {accuracy} correctly; always saying the "
    "commonest class would reach {chance}.": (
        "在 {rows} 个未见过的样本中，分类正确率为 {accuracy}；若总是回答最常见的类别，正确率为 "
        "{chance}。"
    ),
    "On {rows} rows that it has not seen {accuracy} of its answers are right; always saying the "
    "commonest would reach {chance}.": (
        "在 {rows} 个未见过的样本上，{accuracy} 的回答正确；若总是给出最常见的回答，正确率为 "
        "{chance}。"
    ),
    "In epoch {epoch} the loss became no number any more; the weights are those of the epoch "
    "before.": "第 {epoch} 轮时损失不再是有限的数；权重取自前一轮。",
    "The training was interrupted.": "训练被中断。",
    "The loss on unseen data was lowest in epoch {epoch} and rose afterwards: ending there would "
    "have been better.": (
        "未见数据上的损失在第 {epoch} 轮最低，之后上升，出现过拟合：在那时停止训练更好。"
    ),
    "It knows what it was trained on better ({seen}) than what is new ({unseen}).": (
        "它在训练数据上的正确率（{seen}）高于新数据（{unseen}）。"
    ),
    "The loss was still falling when the training ended.": "训练结束时损失仍在下降。",
    # numbers
    "test accuracy": "测试正确率",
    "test loss": "测试损失",
    "test perplexity": "测试困惑度",
    "test R²": "测试集 R²",
    "test mean absolute error": "测试平均绝对误差",
    "loss": "损失",
    "accuracy": "正确率",
    "mean squared error": "均方误差",
    "mean absolute error": "平均绝对误差",
    "perplexity": "困惑度",
    "bits per symbol": "每个符号的比特数",
    "the next symbol is right": "下一个符号预测正确",
    "different symbols": "不同符号的个数",
    # curves
    "epoch": "轮次",
    "seconds": "秒",
    "training": "训练集",
    "validation": "验证集",
    "The numbers": "数值",
    "For curves: {command}": "如需曲线图：{command}",
    # the confusion matrix
    "Rows: the true class. Columns: the predicted one.": "行：真实类别；列：预测类别。",
    "class": "类别",
    "rows": "样本数",
    "precision": "精确率",
    "recall": "召回率",
    "F1": "F1",
    "most often taken for": "最常被误认为",
    "Precision: of what is called a class, the share that is one. Recall: of a class, the share "
    "that is found. F1: their harmonic mean.": (
        "精确率：被判为某类的样本中确属该类的比例。召回率：某类样本中被找出的比例。F1：两者的调和平均。"
    ),
    "true class": "真实类别",
    "predicted": "预测",
    "true": "真实",
    "how often": "次数",
    "of the class": "占该类",
    "Predicted against true": "预测值与真实值",
    # examples
    "test row {row}": "测试样本 {row}",
    "Orange speaks for the class that was predicted, blue against it ({method}).": (
        "橙色支持所预测的类别，蓝色反对（{method}）。"
    ),
    "Orange raises the prediction, blue lowers it ({method}).": (
        "橙色使预测值升高，蓝色使其降低（{method}）。"
    ),
    "gradient × input": "梯度 × 输入",
    "integrated gradients": "积分梯度",
    "Grey: what it was given, from the test text. The rest it wrote.": (
        "灰色部分是给它的测试文本，其余由模型生成。"
    ),
    # where it comes from
    "command": "命令",
    "seed": "随机种子",
    "optimiser": "优化器",
    "learning rate": "学习率",
    "batch": "批大小",
    "epochs": "轮数",
    "versions": "版本",
    "data: training": "训练数据的 SHA-256",
    "data: test": "测试数据的 SHA-256",
    "processor": "处理器",
    "cores": "可用核心数",
    "memory": "内存",
    "system": "操作系统",
    "peak of the machine": "本机峰值",
    "time of training": "训练用时",
    "time per step": "每步用时",
    "steps": "步",
    "most memory held": "内存峰值",
    "compiled programs": "已编译程序数",
    "finished": "完成时间",
}
