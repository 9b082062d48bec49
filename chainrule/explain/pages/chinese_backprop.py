"""What `backprop` says, in Chinese: see `words`."""

BACKPROP = {
    "Value": "值",
    "Chain rule": "链式法则",
    "Differences": "差分",
    "Check": "检验",
    "at a kink": "在尖点处",
    "no finite differences": "没有有限的差分",
    "follows from": "由此引起：",
    "wrong rule": "梯度规则有误",
    "The model computes in {}; everything here is in float64.": (
        "模型以 {} 计算；此处一律以 float64 计算。"
    ),
    "A gradient that the program wrote itself computes in float32: from there on, "
    "differences of {} count as none.": (
        "程序自定义的梯度以 float32 计算：自该处起，{} 以内的差异视为相等。"
    ),
    "The loss does not depend on: {}": "损失不依赖于：{}",
    "No loss was given: the mean squared error was taken.": "未指定损失：采用均方误差。",
    "No loss was given: cross-entropy was taken.": "未指定损失：采用交叉熵。",
    "The loss was given for each sample: its mean was taken.": "损失按样本给出：采用其平均值。",
    "The graph of the computation": "计算图",
    "It is computed with a result at a kink, where the rule takes one of several slopes.": (
        "它用到了尖点处的结果，规则在那里只取若干斜率之一。"
    ),
    "Back-propagation, step by step": "反向传播，逐步展示",
    "Sources": "源代码",
    "All {} lines of the backward pass agree with finite differences.": (
        "反向传播的全部 {} 行都与有限差分一致。"
    ),
    "No rule is wrong; {} lines of the backward pass agree with finite differences, "
    "the others stand at kinks.": "没有规则出错；反向传播中 {} 行与有限差分一致，其余位于尖点。",
    "Lines that do not agree with finite differences:": "与有限差分不一致的行：",
    "Previous": "上一步",
    "Next": "下一步",
    "Position": "位置",
    "All steps": "显示所有步骤",
    "The contributions of its users, and their sum:": "各个使用者的贡献及其总和：",
    "Computed": "计算值",
    "Relative error": "相对误差",
    "Compared": "比较范围",
    "Checked": "检验",
    "the rule of {} alone, for a random cotangent": "仅 {} 的规则（随机余切向量）",
    "{}, through everything behind it": "{}，经过其后的全部计算",
    "agrees with finite differences; relative error {}": "与有限差分一致；相对误差 {}",
    "{} random directions": "{} 个随机方向",
    "all elements: {}": "全部元素：{}",
    "at a kink: {}": "在尖点处：{}",
    "The function has a kink here: the slopes of its two sides differ, and the "
    "rule's is between them.": "函数在此处有尖点：两侧的斜率不同，规则给出的值位于两者之间。",
    "The rule of this op does not agree with differences of the op alone.": (
        "该运算的梯度规则与该运算自身的差分不一致。"
    ),
    "The rules of this line are right; it is computed with a result that is not.": (
        "本行的规则无误；但它用到了有误的结果。"
    ),
    "Every rule agrees by itself, and the sum does not: a user is missing.": (
        "每条规则各自都正确，但总和不对：遗漏了某个使用者。"
    ),
    "Near this value there are no finite numbers to compare with.": (
        "该值附近没有可比较的有限数值。"
    ),
    "Op": "运算",
    "Gradient rule": "梯度规则",
    "derived from the formula of the op": "由运算的公式推导而来",
    "Your line": "您的代码行",
}
