"""What `check` and `why` say, in Chinese: see `words`."""

# fmt: off
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
    "{name}: the gradient is wrong: along the worst direction it says {claimed}, differences "
    "say {found} (relative error {error})":
    "{name}：梯度有误：在误差最大的方向上，链式法则给出 {claimed}，差分给出 {found}（相对误差 {"
    "error}）",
    "{name}: the compiled backend differs from the reference by {error} of the largest element "
    "({ulps} units in the last place)":
    "{name}：编译后端与参考后端之差为最大元素的 {error}（{ulps} 个末位单位）",
    "{name} gets no gradient: the loss does not depend on it": "{name} 没有梯度：损失与它无关",
    "{name} gets no gradient, though the loss depends on it: {where}":
    "{name} 没有梯度，尽管损失与它有关：{where}",
    "{name} is frozen, and was not checked": "{name} 已冻结，未检查",
    "{name} stands at a kink (a relu at 0, or equal maxima): the slopes of the two sides "
    "differ; a little aside the gradient is right":
    "{name} 处于尖点（relu 恰在 0 处，或最大值相等）：两侧斜率不同；稍作偏移后梯度正确",
    "{name}: differences do not settle, so nothing is said of its gradient":
    "{name}：差分不收敛，因此无法判断其梯度",
    "{name} has a gradient of zero: moving it does not change the loss":
    "{name} 的梯度为零：改变它不会改变损失",
    "{layer}: the rule of {op}, {place}, raised {failure}":
    "{layer}：{op} 的梯度规则（{place}）抛出 {failure}",
    "{layer}: the rule of {op}, {place}, is wrong for operand {operand}: it says {claimed}, "
    "differences say {found} (relative error {error})":
    "{layer}：{op} 的梯度规则（{place}）对操作数 {operand} 有误：规则给出 {claimed}，差分给出 {"
    "found}（相对误差 {error}）",
    "All is right: {count} gradients, loss {loss}": "全部正确：{count} 个梯度，损失 {loss}",
    "Something is wrong: {count} gradients are right, loss {loss}":
    "有错误：{count} 个梯度正确，损失 {loss}",
    "There is no loss: a random projection of the outputs was checked":
    "没有给出损失函数：检查的是输出的随机投影",
    "The backends were not compared: {error}": "未比较后端：{error}",
    "it is detached (detach(), no_grad or stop_gradient)":
    "它被分离（detach()、no_grad 或 stop_gradient）",
    "it goes through {op}, which has no derivative": "它经过没有导数的 {op}",
    "a gradient rule passes nothing on to it": "某条梯度规则没有把梯度传给它",
}

WHY = {
    "the graph from the parameters to the loss, {nodes} nodes":
    "从参数到损失的计算图，{nodes} 个节点",
    "the loss could not be computed: {said}": "无法计算损失：{said}",
    "Compare the shapes and types of outputs and targets with what the loss expects.":
    "请将输出和目标的形状与类型同损失函数的要求比较。",
    "the targets go from {low} to {high}, but the model has {count} outputs: classes are 0 to "
    "{last}":
    "目标从 {low} 到 {high}，但模型只有 {count} 个输出：类别应为 0 到 {last}",
    "Number the classes from 0: y - 1.": "类别从 0 开始编号：y - 1。",
    "Number the classes from 0 without gaps, or give the last layer as many outputs as there "
    "are classes.":
    "类别从 0 开始连续编号，或让最后一层的输出数等于类别数。",
    "none of the {count} parameters can be trained: all are frozen":
    "{count} 个参数都不可训练：全部被冻结",
    "Thaw those that should learn: requires_grad_(True), or layer.trainable = True.":
    "解冻需要学习的参数：requires_grad_(True) 或 layer.trainable = True。",
    "the loss is cut off from the parameters: a value on the way was detached, or left the "
    "graph":
    "损失与参数之间被切断：途中某个值被分离，或离开了计算图",
    "the loss does not depend on any parameter of the model": "损失与模型的任何参数都无关",
    "Compute the loss from the model's output itself, in tensor operations: no detach(), "
    "item(), numpy(), argmax() or no_grad() on the way.":
    "直接用模型的输出以张量运算计算损失：途中不要用 detach()、item()、numpy()、argmax() 或 no_g"
    "rad()。",
    "{count} of {all} parameters get no gradient ({names}): they are detached on the way to "
    "the loss":
    "{all} 个参数中有 {count} 个没有梯度（{names}）：它们在通往损失的途中被分离",
    "{count} of {all} parameters get no gradient ({names}): the loss does not depend on them":
    "{all} 个参数中有 {count} 个没有梯度（{names}）：损失与它们无关",
    "Use these layers in forward, or freeze or remove them.":
    "在 forward 中使用这些层，或冻结、删除它们。",
    "{first} is applied before {loss}, which expects logits and applies its own: what it sees "
    "lies in [{low}, {high}]":
    "{first} 用在{loss}之前，而后者需要 logits 并会自己再做一次：它得到的值都在 [{low}, {high}]"
    " 内",
    "Leave the {first} out of the model and give logits to the loss (apply it only to show "
    "probabilities), or, in Keras, keep it and say from_logits=False.":
    "从模型中去掉 {first}，把 logits 交给损失函数（仅在显示概率时再用它）；或在 Keras 中保留它"
    "并设 from_logits=False。",
    "the cross-entropy": "交叉熵",
    "the binary cross-entropy": "二元交叉熵",
    "the model ends with relu before the cross-entropy: {zero} of its logits are 0, and none "
    "can be negative":
    "模型在交叉熵之前以 relu 结尾：其 logits 中有 {zero} 为 0，且都不能为负",
    "Leave the last activation out.": "去掉最后的激活函数。",
    "the model ends with {activation}, which gives numbers in [{low}, {high}], but {outside} "
    "of the targets lie outside (from {least} to {most})":
    "模型以 {activation} 结尾，其值域为 [{low}, {high}]，但有 {outside} 的目标在此之外（从 {lea"
    "st} 到 {most}）",
    "End the model without an activation (linear), or scale the targets.":
    "模型最后不用激活函数（线性输出），或缩放目标。",
    "softmax over a single number is always 1: the output cannot change":
    "对单个数做 softmax 总是 1：输出不会变化",
    "Use sigmoid (binary cross-entropy) for one output, or as many outputs as classes.":
    "单个输出请用 sigmoid（二元交叉熵），或让输出数等于类别数。",
    "the loss compares outputs of shape {output} with targets of shape {target}: they are "
    "spread to {spread}, so that every output is compared with every target":
    "损失把形状 {output} 的输出与形状 {target} 的目标相比较：二者被广播为 {spread}，于是每个输"
    "出都与每个目标比较",
    "Give both the same shape: outputs.squeeze(-1), or targets.unsqueeze(-1).":
    "让两者形状相同：outputs.squeeze(-1) 或 targets.unsqueeze(-1)。",
    "the targets are one-hot rows of shape {target}, and the loss expects class numbers "
    "({said})":
    "目标是形状为 {target} 的独热向量，而损失需要类别编号（{said}）",
    "Give class numbers: y.argmax(-1); or, in Keras, use categorical_crossentropy.":
    "给出类别编号：y.argmax(-1)；或在 Keras 中使用 categorical_crossentropy。",
    "the targets are {dtype} numbers, and the loss expects class numbers ({said})":
    "目标是 {dtype} 类型的数，而损失需要类别编号（{said}）",
    "the targets have shape {target}, and the loss expects class numbers of shape {wanted} "
    "({said})":
    "目标的形状为 {target}，而损失需要形状为 {wanted} 的类别编号（{said}）",
    "Take the last axis away: y.squeeze(-1).": "去掉最后一轴：y.squeeze(-1)。",
    "the targets have a mean of {mean} and a standard deviation of {spread}, while a network "
    "starts with outputs near 0":
    "目标的均值为 {mean}，标准差为 {spread}，而网络的初始输出在 0 附近",
    "Train on (y - mean) / standard deviation, and undo that when predicting.":
    "用 (y - 均值) / 标准差训练，预测时再还原。",
    "the loss starts at {loss}, {times} times that of guessing ({naive}): the outputs are far too "
    "large, and wrong":
    "损失从 {loss} 开始，是随意猜测（{naive}）的 {times} 倍：输出过大且错误",
    "Scale the inputs, or initialise with smaller weights (Xavier, He).":
    "缩放输入，或用更小的权重初始化（Xavier、He）。",
    "Convert them: y.long().": "请转换：y.long()。",
    "the targets are class numbers of shape {target}, the outputs have shape {output}, and the "
    "loss expects the same shape ({said})":
    "目标是形状为 {target} 的类别编号，输出形状为 {output}，而损失要求形状相同（{said}）",
    "Use sparse_categorical_crossentropy (in PyTorch CrossEntropyLoss with 1-D targets), or "
    "one-hot targets: one_hot(y, classes).":
    "使用 sparse_categorical_crossentropy（PyTorch 中为目标是一维的 CrossEntropyLoss），或独热"
    "目标：one_hot(y, classes)。",
    "the targets are {dtype} numbers, and the loss expects floating-point ones ({said})":
    "目标是 {dtype} 类型的数，而损失需要浮点数（{said}）",
    "Convert them: y.float().": "请转换：y.float()。",
    "the targets have fractions (from {low} to {high}), and the loss takes them for class "
    "numbers":
    "目标含有小数（从 {low} 到 {high}），而损失把它们当作类别编号",
    "Use a loss for numbers (MSELoss, mse), or class numbers as targets.":
    "使用回归损失（MSELoss、mse），或以类别编号为目标。",
    "the targets go from {low} to {high}, but binary cross-entropy takes 0 and 1 (and what "
    "lies between)":
    "目标从 {low} 到 {high}，但二元交叉熵只接受 0 到 1",
    "Map them to 0 and 1: (y > 0).float() for −1 and 1, y - 1 for 1 and 2.":
    "映射为 0 和 1：−1 与 1 用 (y > 0).float()，1 与 2 用 y - 1。",
    "softmax runs over axis 0, the samples of the batch, instead of the classes":
    "softmax 沿第 0 轴（批中的样本）计算，而不是沿类别",
    "Say dim=-1 (axis=-1).": "请写 dim=-1（axis=-1）。",
    "the loss takes logarithms of the output as if it were probabilities, but {outside} of it "
    "lies outside [0, 1] (from {low} to {high})":
    "损失把输出当作概率取对数，但其中 {outside} 在 [0, 1] 之外（从 {low} 到 {high}）",
    "Say from_logits=True (or use BCEWithLogitsLoss, CrossEntropyLoss), or end the model with "
    "softmax or sigmoid.":
    "设 from_logits=True（或使用 BCEWithLogitsLoss、CrossEntropyLoss），或让模型以 softmax 或 s"
    "igmoid 结尾。",
    "NLLLoss expects log-probabilities, but exp(output) sums to {sums} instead of 1: the loss "
    "can fall without bound":
    "NLLLoss 需要对数概率，但 exp(输出) 之和是 {sums} 而不是 1：损失会无限下降",
    "Use CrossEntropyLoss on the logits, or end the model with LogSoftmax.":
    "对 logits 使用 CrossEntropyLoss，或让模型以 LogSoftmax 结尾。",
    "values and gradients of {count} layers with weights": "{count} 个有权重的层的值与梯度",
    "{dead} of {units} units of {layer} are 0 for all samples: relu passes no gradient to them":
    "{layer} 的 {units} 个单元中有 {dead} 个对所有样本都为 0：relu 不向它们传递梯度",
    "Take a smaller learning rate, He initialisation, biases of 0, or leaky_relu, elu or gelu.":
    "降低学习率，用 He 初始化、零偏置，或改用 leaky_relu、elu、gelu。",
    "the loss is {loss} before any training: values of {layer} overflow first":
    "训练前损失就是 {loss}：{layer} 的值最先溢出",
    "the loss is {loss} before any training": "训练前损失就是 {loss}",
    "Look for a logarithm or a division of zero, an overflow, or NaN in the data.":
    "检查是否对零取对数或除以零、溢出，或数据中有 NaN。",
    "the gradient of {names} has NaN or infinity, while the loss is {loss}":
    "{names} 的梯度含有 NaN 或无穷，而损失为 {loss}",
    "Look for sqrt, log, norm or division at zero; add a small ε inside.":
    "检查零点处的 sqrt、log、范数或除法；在其中加一个小的 ε。",
    "the gradient shrinks to {ratio} of its size on its way back: it falls below a hundredth "
    "at {layer}, and at {first} it is {small}":
    "梯度在反向传播途中缩小到 {ratio}：在 {layer} 处降到百分之一以下，在 {first} 处为 {small}",
    "Use relu or gelu instead of sigmoid or tanh, normalisation, residual connections, fewer "
    "layers, or a larger initialisation (Xavier, He).":
    "用 relu 或 gelu 代替 sigmoid 或 tanh，使用归一化、残差连接、更少的层，或更大的初始化（Xavi"
    "er、He）。",
    "the gradient grows by a factor of {ratio} on its way back: it passes a hundred times its "
    "size at {layer}":
    "梯度在反向传播途中放大 {ratio} 倍：在 {layer} 处超过一百倍",
    "Use a smaller initialisation (Xavier, He), normalisation, gradient clipping, or fewer "
    "steps of recurrence.":
    "使用更小的初始化（Xavier、He）、归一化、梯度裁剪，或更短的循环。",
    "values grow from layer to layer: at {layer} they reach {size}":
    "数值逐层增大：在 {layer} 处达到 {size}",
    "Use a smaller initialisation (Xavier, He) or normalisation.":
    "使用更小的初始化（Xavier、He）或归一化。",
    "all units of {layer} have the same weights and the same gradient: they stay equal":
    "{layer} 的所有单元权重相同、梯度相同：它们将永远相等",
    "all units of {layer} have the same weights, and no gradient reaches them":
    "{layer} 的所有单元权重相同，且没有梯度到达",
    "Initialise weights at random (Xavier, He); zeros are for biases.":
    "随机初始化权重（Xavier、He）；零只用于偏置。",
    "the output is the same for all {rows} samples (it differs by {spread})":
    "对全部 {rows} 个样本输出都相同（相差 {spread}）",
    "Look for dead units, weights of zero, an activation that is saturated, or an input that "
    "is not used.":
    "检查死单元、零权重、饱和的激活函数，或未被使用的输入。",
    "{layer} takes inputs from {low} to {high} (mean {mean}, standard deviation {spread}): "
    "steps that fit such inputs are tiny":
    "{layer} 的输入从 {low} 到 {high}（均值 {mean}，标准差 {spread}）：适合这种输入的步长极小",
    "Scale them: x / 255 for images, or subtract the mean and divide by the standard deviation.":
    "请缩放：图像用 x / 255，或减去均值再除以标准差。",
    "no loss was given: {name} was taken": "未给出损失：采用了 {name}",
    "batch normalisation in {layer} takes mean and variance over a batch of {rows} ({count} "
    "numbers each): the statistics are noise":
    "{layer} 的批归一化在大小为 {rows} 的批上取均值和方差（每个通道 {count} 个数）：统计量只是"
    "噪声",
    "Use a batch size of at least 8, or GroupNorm or LayerNorm.":
    "批大小至少为 8，或改用 GroupNorm、LayerNorm。",
    "batch normalisation cannot take the mean of a single sample: {said}":
    "批归一化无法对单个样本取均值：{said}",
    "Use a batch size of at least 8 (drop_last=True leaves out a last batch of 1), or "
    "GroupNorm or LayerNorm.":
    "批大小至少为 8（drop_last=True 会去掉只有 1 个样本的最后一批），或改用 GroupNorm、LayerNor"
    "m。",
    "{rows} samples: finite, varied, balanced, in no order":
    "{rows} 个样本：有限、有变化、均衡、无序",
    "all {rows} samples that were looked at are the same": "查看的 {rows} 个样本全都相同",
    "Look at how the data are read: every index may give the same sample.":
    "检查数据的读取：可能每个下标都给出同一个样本。",
    "all {count} targets that were looked at are {value}": "查看的 {count} 个目标全都是 {value}",
    "Look at how the targets are read: there is nothing to tell apart.":
    "检查目标的读取：没有可区分的东西。",
    "the data come in order: in a batch {share} of the targets are one class, of all {usual}":
    "数据是排好序的：一批中 {share} 的目标属于同一类，而总体中只有 {usual}",
    "Shuffle: DataLoader(…, shuffle=True), dataset.shuffle(size of the data), or permute the "
    "arrays once.":
    "请打乱：DataLoader(…, shuffle=True)、dataset.shuffle(数据大小)，或把数组整体打乱一次。",
    "the data come in order: the targets rise or fall from sample to sample":
    "数据是排好序的：目标逐个样本上升或下降",
    "{name} holds NaN or infinity: {count} of {total} numbers, first in sample {sample}":
    "{name} 含有 NaN 或无穷：{total} 个数中有 {count} 个，首先出现在样本 {sample}",
    "Leave these samples out or fill them in before training (np.isfinite finds them).":
    "训练前去掉或补全这些样本（np.isfinite 可以找到它们）。",
    "{still} of {features} features never change": "{features} 个特征中有 {still} 个从不变化",
    "Leave them out, or look at how they are read.": "去掉它们，或检查它们的读取。",
    "features differ in size by a factor of {ratio}: feature {large} has a standard deviation "
    "of {most}, feature {small} one of {least}":
    "特征的大小相差 {ratio} 倍：特征 {large} 的标准差为 {most}，特征 {small} 的为 {least}",
    "Standardise each feature: subtract its mean, divide by its standard deviation (of the "
    "training data).":
    "对每个特征标准化：减去均值，除以标准差（取自训练数据）。",
    "{share} of the targets are class {value}: always saying so is right that often":
    "{share} 的目标是类别 {value}：一直这样回答就有这么高的正确率",
    "Weigh the classes (class_weight, pos_weight), sample evenly, and look at recall or the F1 "
    "score instead of accuracy.":
    "为类别加权（class_weight、pos_weight），均衡采样，并查看召回率或 F1 而不是准确率。",
    "the optimizer holds {count} of {all} parameters": "优化器持有 {all} 个参数中的 {count} 个",
    "what the training step does: {moved} of {all} parameters change":
    "训练步骤的作用：{all} 个参数中有 {moved} 个改变",
    "what the evaluation changes: {changed} tensors": "评估改变了 {changed} 个张量",
    "the model is in eval mode: {layer} ({type}) does not work as in training":
    "模型处于评估模式：{layer}（{type}）不按训练方式工作",
    "Call model.train() before training, and model.eval() before evaluating.":
    "训练前调用 model.train()，评估前调用 model.eval()。",
    "the optimizer holds {held} parameters, none of them of this model":
    "优化器持有 {held} 个参数，都不属于这个模型",
    "Make the optimizer after the model (and after anything that replaces its parameters): "
    "Adam(model.parameters()).":
    "在模型建好之后（以及任何替换其参数的操作之后）再创建优化器：Adam(model.parameters())。",
    "{layer} is a plain list (or dict) of layers: their parameters are not among the model's, "
    "and will not be trained":
    "{layer} 是装着层的普通列表（或字典）：它们的参数不属于模型，不会被训练",
    "Use nn.ModuleList or nn.ModuleDict.": "请使用 nn.ModuleList 或 nn.ModuleDict。",
    "a training step changes no parameter, though they have gradients":
    "训练步骤没有改变任何参数，尽管它们有梯度",
    "a training step changes no parameter, and leaves no gradient":
    "训练步骤没有改变任何参数，也没有留下梯度",
    "Call loss.backward() and then optimizer.step() (in Keras optimizer.apply_gradients); the "
    "optimizer must hold this model's parameters.":
    "先调用 loss.backward()，再调用 optimizer.step()（Keras 中为 optimizer.apply_gradients）；"
    "优化器必须持有这个模型的参数。",
    "gradients add up from step to step: on the same batch and weights they are {second} times "
    "as large in the second step, {last} times in step {steps}":
    "梯度逐步累积：同一批数据、同样的权重，第二步是第一步的 {second} 倍，第 {steps} 步是 {last}"
    " 倍",
    "Call optimizer.zero_grad() before loss.backward(), in every step.":
    "每一步都在 loss.backward() 之前调用 optimizer.zero_grad()。",
    "in the training step {layer} ({type}) runs as in evaluation":
    "训练步骤中 {layer}（{type}）按评估方式运行",
    "Call model.train() before training.": "训练前调用 model.train()。",
    "the evaluation runs {layer} as in training: it changes its running statistics":
    "评估时 {layer} 按训练方式运行：它改变了自己的滑动统计量",
    "the evaluation runs {layer} as in training: it drops units at random":
    "评估时 {layer} 按训练方式运行：它随机丢弃单元",
    "Call model.eval() before evaluating (model.train() afterwards); in Keras, training=False.":
    "评估前调用 model.eval()（之后再 model.train()）；在 Keras 中用 training=False。",
    "{count} of {all} parameters are not in the optimizer and will not change: {names}":
    "{all} 个参数中有 {count} 个不在优化器中，不会改变：{names}",
    "Give it all of them: Adam(model.parameters()); layers kept in a plain list or dict are "
    "not found by parameters(): use ModuleList, ModuleDict.":
    "把全部参数交给它：Adam(model.parameters())；放在普通列表或字典中的层不会被 parameters() 找"
    "到：请用 ModuleList、ModuleDict。",
    "{count} of {all} parameters have a gradient and are not changed by the step: {names}":
    "{all} 个参数中有 {count} 个有梯度却没有被这一步改变：{names}",
    "Give them to the optimizer: Adam(model.parameters()).":
    "把它们交给优化器：Adam(model.parameters())。",
    "the model": "模型",
    "Nothing was found that keeps it from learning.": "没有发现妨碍学习的原因。",
    "Looked at: {what}": "已查看：{what}",
    "{steps} steps on one batch: loss {start} → {end}":
    "在一批数据上训练 {steps} 步：损失 {start} → {end}",
    "with the learning rate {rate} the loss of one batch goes from {start} to {end} in {steps} "
    "steps; with {larger} it falls to {better}":
    "学习率为 {rate} 时，一批数据的损失在 {steps} 步内从 {start} 变为 {end}；为 {larger} 时降到"
    " {better}",
    "Take a learning rate near {larger}.": "请把学习率取在 {larger} 附近。",
    "{steps} steps on one batch do not bring the loss down, at any learning rate: from {start} "
    "to {end}":
    "在一批数据上训练 {steps} 步，任何学习率都不能使损失下降：从 {start} 到 {end}",
    "Targets may not belong to the inputs, the model may be too small, or gradients do not "
    "arrive: look at the other findings first.":
    "目标可能与输入不对应，模型可能太小，或梯度没有到达：请先看其他发现。",
    "with the learning rate {rate} the loss of one batch goes from {start} to {end}; with "
    "{smaller} it falls to {better}":
    "学习率为 {rate} 时，一批数据的损失从 {start} 变为 {end}；为 {smaller} 时降到 {better}",
    "with the learning rate {rate} the loss of one batch leaps from {start} to {peak} before it "
    "falls; with {smaller} it falls to {better} at once":
    "学习率为 {rate} 时，一批数据的损失先从 {start} 跳到 {peak} 再下降；为 {smaller} 时直接降到 "
    "{better}",
    "Take a learning rate near {smaller}, or begin with a smaller one (warm-up).":
    "请把学习率取在 {smaller} 附近，或从较小的学习率开始（预热）。",
    "Take a learning rate near {smaller}.": "请把学习率取在 {smaller} 附近。",
}
# fmt: on
