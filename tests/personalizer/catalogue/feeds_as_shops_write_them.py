"""The same three items in every format, with what real feeds have: marks of byte order, entities, oddities of quoting."""

ITEMS = ["LAMP-1", "LAMP-2", "BEANS-1"]

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<!-- made by a shop -->
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">
  <channel>
    <title>A shop</title>
    <link>https://shop.example/</link>
    <description>All that we sell</description>
    <item>
      <g:id>LAMP-1</g:id>
      <title>not this one</title>
      <g:title><![CDATA[Table lamp "Duna" & shade]]></g:title>
      <description>&lt;p&gt;Warm&lt;/p&gt;</description>
      <link>https://shop.example/p/LAMP-1?a=1&amp;b=2</link>
      <g:image_link>https://shop.example/LAMP-1.jpg</g:image_link>
      <g:price>39.90 EUR</g:price>
      <g:sale_price>29.90 EUR</g:sale_price>
      <g:availability>in stock</g:availability>
      <g:product_type>Light &gt; Table lamps</g:product_type>
      <g:product_type>Gifts</g:product_type>
      <g:item_group_id>LAMP</g:item_group_id>
      <g:shipping><g:country>ES</g:country><g:price>4.95 EUR</g:price></g:shipping>
    </item>
    <item>
      <g:id>LAMP-2</g:id>
      <title>L&#225;mpara &amp;eacute;</title>
      <link>https://shop.example/p/LAMP-2</link>
      <g:price>119.00 EUR</g:price>
      <g:availability>out_of_stock</g:availability>
      <g:item_group_id>LAMP</g:item_group_id>
    </item>
    <item><g:id>BEANS-1</g:id><title>Beans</title><g:price>12 EUR</g:price><g:consumable>yes</g:consumable></item>
  </channel>
</rss>
"""

ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
  <title>A shop</title><id>tag:shop.example,2026:feed</id><updated>2026-11-21T00:00:00Z</updated>
  <link href="https://shop.example/" rel="self"/>
  <entry>
    <g:id>LAMP-1</g:id><id>tag:shop.example,2026:LAMP-1</id><title>Table lamp "Duna" &amp; shade</title>
    <link rel="alternate" type="text/html" href="https://shop.example/p/LAMP-1?a=1&amp;b=2"/>
    <link rel="edit" href="https://shop.example/edit/LAMP-1"/>
    <summary>Warm</summary>
    <g:image_link>https://shop.example/LAMP-1.jpg</g:image_link>
    <g:price>39.90 EUR</g:price><g:sale_price>29.90 EUR</g:sale_price><g:availability>in_stock</g:availability>
    <g:product_type>Light &gt; Table lamps</g:product_type><g:item_group_id>LAMP</g:item_group_id>
  </entry>
  <entry>
    <id>LAMP-2</id><title>Lámpara é</title><link href="https://shop.example/p/LAMP-2"/>
    <g:price>119.00 EUR</g:price><g:availability>out of stock</g:availability><g:item_group_id>LAMP</g:item_group_id>
  </entry>
  <entry><id>BEANS-1</id><title>Beans</title><g:price>12.00 EUR</g:price><g:consumable>true</g:consumable></entry>
</feed>
"""

TSV = (
    "\ufeffid\ttitle\tlink\timage link\tprice\tsale price\tavailability\tproduct type\titem group id\tconsumable\t"
    "description\r\n"
    'LAMP-1\t"Table lamp ""Duna"" & shade"\thttps://shop.example/p/LAMP-1?a=1&b=2\t'
    "https://shop.example/LAMP-1.jpg\t39.90 EUR\t29.90 EUR\tin stock\tLight > Table lamps\tLAMP\t\t"
    '"Warm,\tcalm\r\nand quiet"\r\n'
    'LAMP-2\tL&aacute;mpara é\thttps://shop.example/p/LAMP-2\t\t119.00 EUR\t\tout of stock\t\tLAMP\t\t12" wide\r\n'
    "\r\n"
    "BEANS-1\tBeans\t\t\t12 EUR\t\t\t\t\tyes\r\n"
)

CSV = (
    "id;title;link;image_link;price;sale_price;availability;product_type;item_group_id;consumable\n"
    'LAMP-1;"Table lamp ""Duna"" & shade";https://shop.example/p/LAMP-1?a=1&b=2;https://shop.example/LAMP-1.jpg;39.90 EUR;'
    "29.90 EUR;in_stock;Light > Table lamps;LAMP;;;\n"
    "LAMP-2;Lámpara é;https://shop.example/p/LAMP-2;;119.00 EUR;;out_of_stock;;LAMP;\n"
    "BEANS-1;Beans;;;12 EUR;;;;;yes\n"
)

JSONL = r"""{"id": "LAMP-1", "title": "Table lamp \"Duna\" & shade", "link": "https://shop.example/p/LAMP-1?a=1&b=2",
 "image_link": "https://shop.example/LAMP-1.jpg", "price": 39.9, "sale_price": "29.90 EUR", "currency": "EUR",
 "availability": "in_stock", "product_type": "Light > Table lamps", "item_group_id": "LAMP"}
{"id": "LAMP-2", "title": "L\u00e1mpara é", "link": "https://shop.example/p/LAMP-2", "price": "119.00 EUR",
 "availability": "out_of_stock", "item_group_id": "LAMP"}
{"id": "BEANS-1", "title": "Beans", "price": "12 EUR", "consumable": true}
""".replace("\n ", " ")

JSON = "[" + JSONL.strip().replace("\n", ",") + "]"

EVERY = {"rss": RSS, "google-xml": ATOM, "tsv": TSV, "csv": CSV, "jsonl": JSONL, "json": JSON}
