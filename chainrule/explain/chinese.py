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
