"""The first document's program: two dense layers learn MNIST, written for TensorFlow.

    python examples/seeds/mnist_mlp.py

It needs MNIST: in the folder that CHAINRULE_DATA names, in the cache, or downloaded. It prints a test accuracy near
97.7 %, as PyTorch and Keras do.
"""

# ── the document's program, with nothing but its import lines changed ──
import numpy as np
import chainrule as tf

# 加载数据集
(x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()

# 预处理数据
x_train = x_train.reshape(-1, 28 * 28) / 255.0
x_test = x_test.reshape(-1, 28 * 28) / 255.0

# 定义神经网络结构
model = tf.keras.models.Sequential([
    tf.keras.layers.Dense(128, activation='relu', input_shape=(784,)),
    tf.keras.layers.Dense(10, activation='softmax')
])

# 选择优化算法
optimizer = tf.keras.optimizers.Adam(learning_rate=0.001)

# 训练模型
model.compile(optimizer=optimizer, loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(x_train, y_train, epochs=10, batch_size=128)

# 评估模型性能
test_loss, test_acc = model.evaluate(x_test, y_test)
print('Test accuracy:', test_acc)
# ── the end of the document's program ──
