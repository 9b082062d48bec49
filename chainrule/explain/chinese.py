"""What `check` and `why` say, in Chinese: see `words`."""

CHECK = {
    "Parameter": "参数",
    "Relative error": "相对误差",
    "Second order": "二阶",
    "Between backends": "两种后端之差",
    "Rule": "规则",
    "Operand": "操作数",
    "Place": "位置",
    "ok": "正确",
    "kink": "尖点",
    "wrong": "错误",
    "unsure": "无法判断",
    "unused": "未使用",
    "detached": "已分离",
    "frozen": "已冻结",
    "flat": "为零",
    "the loss": "损失函数",
    "{name}: the gradient is wrong: along the worst direction it says {claimed}, differences say "
    "{found} (relative error {error})": "{name}：梯度有误：在误差最大的方向上，链式法则给出 "
    "{claimed}，差分给出 {found}（相对误差 {error}）",
    "{name}: the compiled backend differs from the reference by {error} of the largest element "
    "({ulps} units in the last place)": "{name}：编译后端与参考后端之差为最大元素的 {error}"
    "（{ulps} 个末位单位）",
    "{name} gets no gradient: the loss does not depend on it": "{name} 没有梯度：损失与它无关",
    "{name} gets no gradient, though the loss depends on it: {where}": "{name} "
    "没有梯度，尽管损失与它有关：{where}",
    "{name} is frozen, and was not checked": "{name} 已冻结，未检查",
    "{name} stands at a kink (a relu at 0, or equal maxima): the slopes of the two sides differ; a "
    "little aside the gradient is right": "{name} 处于尖点（relu 恰在 0 处，或最大值相等）："
    "两侧斜率不同；稍作偏移后梯度正确",
    "{name}: differences do not settle, so nothing is said of its gradient": "{name}："
    "差分不收敛，因此无法判断其梯度",
    "{name} has a gradient of zero: moving it does not change the loss": "{name} "
    "的梯度为零：改变它不会改变损失",
    "{layer}: the rule of {op}, {place}, raised {failure}": "{layer}：{op} 的梯度规则"
    "（{place}）抛出 {failure}",
    "{layer}: the rule of {op}, {place}, is wrong for operand {operand}: it says {claimed}, "
    "differences say {found} (relative error {error})": "{layer}：{op} 的梯度规则（{place}）"
    "对操作数 {operand} 有误：规则给出 {claimed}，差分给出 {found}（相对误差 {error}）",
    "All is right: {count} gradients, loss {loss}": "全部正确：{count} 个梯度，损失 {loss}",
    "Something is wrong: {count} gradients are right, loss {loss}": "有错误：{count} "
    "个梯度正确，损失 {loss}",
    "There is no loss: a random projection of the outputs was checked": "没有给出损失函数："
    "检查的是输出的随机投影",
    "The backends were not compared: {error}": "未比较后端：{error}",
    "it is detached (detach(), no_grad or stop_gradient)": "它被分离"
    "（detach()、no_grad 或 stop_gradient）",
    "it goes through {op}, which has no derivative": "它经过没有导数的 {op}",
    "a gradient rule passes nothing on to it": "某条梯度规则没有把梯度传给它",
}

#: What `explain.backprop` says.
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
    "Near this value there are no finite numbers to compare with.": "该值附近没有可比较的有限数值。",
    "Op": "运算",
    "Gradient rule": "梯度规则",
    "derived from the formula of the op": "由运算的公式推导而来",
    "Your line": "您的代码行",
}
