from __future__ import annotations

import pytest

from services.cart import catalogue
from services.cart.errors import NotForSale, WrongPrice

SHOP = catalogue.load()


def test_it_sells_some_thirty_things_under_names_and_skus_of_their_own() -> None:
    products = list(SHOP)
    assert 25 <= len(products) <= 40
    names = {product.item.casefold() for product in products} | {product.sku for product in products}
    assert len({product.sku for product in products}) == len(products)
    assert len(names) >= len(products)
    assert all(product.cents > 0 for product in products)


@pytest.mark.parametrize(("item", "price"), [("MacBook Pro", 2500), ("iPhone 15", 1200)])
def test_the_classic_demo_finds_its_items_at_its_prices(item: str, price: int) -> None:
    SHOP.find(item).check_price(price)
    assert SHOP.find(item).price == price


@pytest.mark.parametrize("name", ["MacBook Pro", "macbook pro", " MACBOOK PRO ", "macbook-pro"])
def test_a_name_or_sku_is_found_in_any_case(name: str) -> None:
    assert SHOP.find(name).sku == "macbook-pro"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Macbok Pro", "'MacBook Pro'"), ("iphone", "'iPhone 15'"), ("air pods", "'AirPods Pro'")],
)
def test_an_unknown_name_gets_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(NotForSale, match=nearest):
        SHOP.find(name)


def test_a_hopeless_name_is_sent_to_the_catalogue_and_cut() -> None:
    with pytest.raises(NotForSale, match="GET /catalogue") as refused:
        SHOP.find("q" * 10_000)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("price", [None, 119.95, 119.95000000001])
def test_the_right_price_or_none_will_do(price: float | None) -> None:
    SHOP.find("JBL Flip 6").check_price(price)


@pytest.mark.parametrize("price", [0, 119.94, 119.951, 12000, 119])
def test_any_other_price_is_refused_with_the_right_one(price: float) -> None:
    with pytest.raises(WrongPrice, match=r"119\.95"):
        SHOP.find("JBL Flip 6").check_price(price)


@pytest.mark.parametrize(("cents", "shown"), [(0, 0), (250_000, 2500), (1, 0.01), (11_995, 119.95)])
def test_whole_prices_are_shown_whole(cents: int, shown: float) -> None:
    assert catalogue.units(cents) == shown
    assert isinstance(catalogue.units(cents), type(shown))
