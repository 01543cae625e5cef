"""The words by which the rules of `extraction` know an article, an intent and a mood: read and extend them."""

# What customers say → the name in the catalogue (name_zh). Names of the catalogue itself need no entry.
ALIASES = {
    "红富士": "红富士苹果", "苹果": "红富士苹果", "apples": "红富士苹果", "橙子": "脐橙", "甜橙": "脐橙",
    "oranges": "脐橙", "小番茄": "圣女果", "小西红柿": "圣女果", "樱桃番茄": "圣女果", "cherry tomato": "圣女果",
    "洋芋": "土豆", "马铃薯": "土豆", "香菇": "鲜香菇", "mushrooms": "鲜香菇", "shiitake": "鲜香菇",
    "lettuce": "生菜", "大米": "东北大米", "泰国香米": "茉莉香米", "香米": "茉莉香米", "thai rice": "茉莉香米",
    "面粉": "小麦粉", "flour": "小麦粉", "挂面": "鸡蛋挂面", "面条": "鸡蛋挂面", "米线": "米粉", "意面": "意大利面",
    "pasta": "意大利面", "小米": "黄小米", "燕麦": "燕麦片", "麦片": "燕麦片", "oats": "燕麦片", "oatmeal": "燕麦片",
    "水饺": "速冻水饺", "饺子": "速冻水饺", "dumplings": "速冻水饺", "菜油": "菜籽油", "酱油": "生抽",
    "soy sauce": "生抽", "醋": "香醋", "vinegar": "香醋", "辣酱": "辣椒酱", "chili sauce": "辣椒酱",
    "chilli": "辣椒酱", "番茄酱": "番茄意面酱", "麻酱": "芝麻酱", "tahini": "芝麻酱", "sea salt": "海盐",
    "酸奶": "原味酸奶", "yoghurt": "原味酸奶", "yogurt": "原味酸奶", "土鸡蛋": "散养鸡蛋", "鸡蛋": "散养鸡蛋",
    "eggs": "散养鸡蛋", "奶酪": "芝士片", "芝士": "芝士片", "cheese": "芝士片", "soya milk": "豆浆", "矿泉": "矿泉水",
    "瓶装水": "矿泉水", "乌龙茶": "无糖乌龙茶", "oolong": "无糖乌龙茶", "coke": "可乐", "beer": "啤酒",
    "龙井": "龙井绿茶", "绿茶": "龙井绿茶", "green tea": "龙井绿茶", "咖啡": "咖啡粉", "coffee": "咖啡粉",
    "rice wine": "黄酒", "料酒": "黄酒", "花生": "盐焗花生", "peanuts": "盐焗花生", "瓜子": "葵花籽",
    "seeds": "葵花籽", "薯条": "薯片", "crisps": "薯片", "chips": "薯片", "每日坚果": "混合坚果", "坚果": "混合坚果",
    "nuts": "混合坚果", "巧克力": "黑巧克力", "chocolate": "黑巧克力", "饼干": "苏打饼干", "crackers": "苏打饼干",
    "mango": "芒果干", "紫菜": "海苔", "月饼": "月饼礼盒", "mooncakes": "月饼礼盒", "mooncake": "月饼礼盒",
    "山楂": "山楂片", "hawthorn": "山楂片", "洗衣": "洗衣液", "detergent": "洗衣液", "柔顺剂": "衣物柔顺剂",
    "softener": "衣物柔顺剂", "洗洁剂": "洗洁精", "washing up liquid": "洗洁精", "dish soap": "洗洁精",
    "卫生纸": "卷纸", "toilet roll": "卷纸", "纸巾": "抽纸", "面巾纸": "抽纸", "tissues": "抽纸",
    "垃圾桶袋": "垃圾袋", "trash bags": "垃圾袋", "厨房用纸": "厨房纸", "kitchen roll": "厨房纸",
    "地板水": "地板清洁剂", "箱子": "收纳箱", "洗发露": "洗发水", "洗头的": "洗发水", "沐浴液": "沐浴露",
    "护手": "护手霜", "sunscreen": "防晒霜", "防晒": "防晒霜", "刀片": "剃须刀片", "razors": "剃须刀片",
    "奶粉": "婴儿奶粉", "formula": "婴儿奶粉", "baby milk": "婴儿奶粉", "尿不湿": "纸尿裤", "尿片": "纸尿裤",
    "diapers": "纸尿裤", "湿巾": "婴儿湿巾", "wipes": "婴儿湿巾", "米糊": "婴儿米粉", "rice cereal": "婴儿米粉",
    "bottle": "奶瓶", "电饭锅": "电饭煲", "水壶": "电热水壶", "kettle": "电热水壶", "炒菜锅": "炒锅",
    "保温壶": "保温杯", "flask": "保温杯", "炸锅": "空气炸锅", "菜板": "砧板", "案板": "砧板",
    "cutting board": "砧板",
}  # fmt: skip

# intent → words, parted by commas. Of intents with as many words the first one counts.
INTENT_WORDS = {
    "complaint": """投诉, 推销, 广告, 退订, 短信太多, 假货, 态度, 恶劣, 难听, 骂人, 赔偿, 说法, 算错, 标价, 排队,
        质量越来越差, 扔了, 临期, 过期, complain, fake, spam, advert, unsubscribe, rude, compensation, queue,
        overcharged, expired""",
    "points": """积分, 会员卡, 旧卡, 副卡, 补卡, 金卡, 银卡, 卡丢了, 满减, 优惠券, 双倍, 的分, 多少分, 没给分, 清零,
        points, point, lost card, old card, second card, new card, gold, coupon, double""",
    "account": """密码, 验证码, 登录, 进不了, 进不去, 账号, 账户, 注销, 邮箱, 名字, 资料, 性别, 注册, 闪退, 页面,
        新家, 地址了, 小程序, 号换了, password, log in, account, mail, birthday, register, registration, page,
        my data, new address""",
    "return": """退货, 想退, 要退, 能不能退, 退款, 退一份, 没退, 换货, 要换, 换一份, 破损, 坏的, 漏了, 买重了, 买多了,
        不想要, 不合适, return, returned, refund, exchange, broken, leaking, too many, money back, damaged""",
    "delivery": """快递, 配送, 送到, 到哪里, 什么时候到, 催单, 没发货, 送货地址, 别送, 包裹, 驿站, 少了一件, 没消息,
        前台, 门口, deliver, delivery, courier, tracking, parcel, arrive, not in the box, nobody in, gate keeper""",
    "order": """再来一, 下单, 订的, 预订, 照上次, 其他照旧, 老样子, 要东西, 报了, 报的单, 备好, 人拿, 等着要, ordered,
        orders, order for, repeat of, the usual, as last time, told me the list, please get""",
    "product": """有没有, 还有货, 还有吗, 补货, 多少钱, 保质期, 产地, 怎么保存, 打折, 活动, 小包装, 换包装, 第二件,
        区别, 货架, 不卖了, 留一份, price, shelf, half price, pack, in stock, cheaper, for a child, no longer sold,
        how much""",
}

# A clause that begins like this is an aside, or says what the operator did: it is not the reason of the call.
ASIDES = """顺便, 又说, 又问, 另外, 另有, 还问, and if, another one, by the way, 已, 待, 答应, 转, 请客户, 让客户,
    帮问, 同意, 核对, 系统慢, 稍后, told to, sent, logged, explained, passed to"""

POSITIVE = """好评, 满意, 谢, 表扬, 夸, 开心, 高兴, 推荐, 喜欢, 放心, 不错, 很好, 真好, 划算, 实惠, 新鲜, 赞, 贴心,
    热情, 耐心, 准时, 给力, 值得, 回购, 下次还来, 好吃, 爱吃, 方便, 靠谱, 很快, 心情不错, happy, thank, grateful,
    praised, recommend, glad, satisfied, great, good, nice, love, perfect, friendly, helpful, excellent, quick, tasty,
    come again, worth, better, fast, fresh"""
NEGATIVE = """投诉, 生气, 发火, 太差, 很差, 差评, 失望, 骂, 气得, 激动, 很冲, 叹气, 着急, 抱怨, 挂了, 再也不来, 12315,
    垃圾, 避雷, 别买, 后悔, 假货, 烂, 坏, 敷衍, 恶劣, 不值, 太贵, 太慢, angry, anger, shouted, swore, disappointed,
    bad, rude, slow, hung up, impatient, never again, poor, awful, worst, terrible, useless, wrong, broken, rotten,
    do not buy, expensive"""
# A word of praise or anger right behind one of these says the contrary.
NEGATIONS = "不, 没, 没有, 不是, 不算, 没什么, 不太, not, no, never, isn't, wasn't, don't, without"
