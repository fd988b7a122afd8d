"""Posto pelo avaliador, só em metade das disputas: o Python passa a trocar de thread a cada 1 µs, e não a
cada 5 ms. O programa do aluno continua o mesmo; o que muda é quantas vezes as threads se revezam, e com
isso a falta de um Lock aparece. Não escreve no console."""


def _apressar():
    import os
    import sys

    pasta = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [caminho for caminho in sys.path if os.path.abspath(caminho or ".") != pasta]
    # O sitecustomize que haveria sem este continua valendo.
    este = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as erro:
        if este is not None:
            sys.modules["sitecustomize"] = este
        if getattr(erro, "name", None) not in (None, "sitecustomize"):
            raise
    sys.setswitchinterval(1e-6)
    # É assim que o avaliador sabe que houve a quem apressar.
    open(os.path.join(pasta, "apressado"), "w").close()


_apressar()
del _apressar
