// Posts the bank's answer by itself; without JavaScript the button does the same.
document.getElementById("leaving").submit();
