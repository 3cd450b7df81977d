// Sends the form of the page at once. Where scripts are off, its button does.
document.getElementById("form-post").submit();
