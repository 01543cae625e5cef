"""The names of what a profile measures, in English and Chinese, each in one place."""

import pandas as pd

# The tables that the variables come from: {name: cimlab.load(name) for name in profiles.TABLES}.
TABLES = ["members", "web_accounts", "orders", "order_lines", "products", "returns", "web_events"]
TABLES += ["calls", "tickets", "campaigns", "campaign_contacts", "questionnaire"]

CATEGORIES = {
    "fruit and vegetables": "蔬果",
    "rice and noodles": "米面",
    "oil and sauces": "粮油调味",
    "dairy and eggs": "乳品蛋类",
    "drinks": "饮料",
    "snacks": "零食",
    "household": "家居清洁",
    "personal care": "个人护理",
    "baby": "母婴用品",
    "pet": "宠物用品",
    "kitchen and small appliances": "厨具小家电",
}
CHANNELS = {"till": "门店", "web": "网店", "call": "电话"}


def share_of(name):
    """Return the name of the variable that holds the share of a category or channel.

    Examples
    --------
    >>> share_of("fruit and vegetables")
    'share_fruit_and_vegetables'
    """
    return f"share_{str(name).replace(' ', '_')}"


_ROWS = [
    ["gender", "性别", "static", "customer file", "F, M", "Gender"],
    [
        "age_band",
        "年龄段",
        "static",
        "customer file",
        "years",
        "Age at the day, in bands; blank if under 14 or unknown",
    ],
    ["city", "城市", "static", "customer file", "name", "City, never the address"],
    ["tier", "会员等级", "static", "members", "name", "Best grade among the cards"],
    ["tenure", "关系时长", "static", "members, web_accounts", "days", "Since the first card or account"],
    ["recency", "最近购买", "dynamic", "orders", "days", "Since the last purchase"],
    ["frequency", "购买次数", "dynamic", "orders", "purchases", "In the window"],
    ["monetary", "消费金额", "dynamic", "orders", "CNY", "Paid in the window"],
    ["basket", "客单价", "dynamic", "orders", "CNY", "Paid in a purchase, mean"],
    ["articles", "每单件数", "dynamic", "order_lines", "packs", "Packs in a purchase, mean"],
    ["on_offer", "促销占比", "dynamic", "order_lines", "fraction", "Part of the spend bought at a discount"],
    ["pack_price", "件均价", "dynamic", "order_lines", "CNY", "Price of a pack before discount, mean"],
    *(
        [share_of(name), f"{zh}占比", "dynamic", "orders", "fraction", f"Part of the purchases: {name}"]
        for name, zh in CHANNELS.items()
    ),
    *(
        [share_of(name), f"{zh}占比", "dynamic", "order_lines, products", "fraction", f"Part of the spend: {name}"]
        for name, zh in CATEGORIES.items()
    ),
    ["returned", "退货率", "dynamic", "returns", "fraction", "Part of the lines that came back"],
    ["visits", "访问次数", "dynamic", "web_events", "visits", "Logged-in visits of the web shop"],
    ["views", "浏览次数", "dynamic", "web_events", "events", "Articles looked at"],
    ["calls", "来电次数", "dynamic", "calls", "calls", "Calls in the window"],
    ["complaints", "投诉次数", "dynamic", "tickets", "cases", "Cases opened in the window"],
    [
        "messages_opened",
        "消息打开率",
        "dynamic",
        "campaigns, campaign_contacts",
        "fraction",
        "Part of the messages opened",
    ],
    ["satisfaction", "满意度", "dynamic", "questionnaire", "1 to 5", "Satisfied on the whole, last answer"],
    ["recommend", "推荐意愿", "dynamic", "questionnaire", "0 to 10", "Would recommend us, last answer"],
]
VARIABLES = pd.DataFrame(_ROWS, columns=["variable", "variable_zh", "kind", "source", "unit", "meaning"])
