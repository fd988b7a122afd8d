//! O livro trocado, encurtado ou apagado por outro programa enquanto o servidor está aberto: nada mais se
//! anuncia, e o servidor não sai como se estivesse tudo bem.

use std::fs::{self, File};

use testes::palavras_em_ingles;

use crate::comprar_tres;
use crate::sob_teste::Arquivo;

type Estrago = fn(&str);

const ESTRAGOS: [(&str, Estrago); 4] = [
    ("encurtado", |livro| File::options().write(true).open(livro).unwrap().set_len(0).unwrap()),
    ("escrito por cima", |livro| fs::write(livro, [0; 12_288]).unwrap()),
    ("apagado", |livro| fs::remove_file(livro).unwrap()),
    ("sem o WAL", |livro| fs::remove_file(format!("{livro}-wal")).unwrap()),
];

/// Saiu com 1, e a última linha diz por quê.
fn parou(termino: &testes::Termino) {
    assert_eq!(termino.codigo, Some(1), "{}", termino.erro);
    let ultima = termino.erro.lines().last().unwrap_or_default();
    assert!(ultima.contains("foi trocado, encurtado ou apagado"), "{}", termino.erro);
    assert_eq!(palavras_em_ingles(&termino.erro), [""; 0]);
}

#[test]
fn quem_compra_de_um_livro_trocado_nao_ouve_que_comprou() {
    for (nome, estragar) in ESTRAGOS {
        println!("{nome}");
        let livro = Arquivo::novo();
        let mut servidor = livro.abrir(Some(10));
        comprar_tres(&servidor);
        let mut cliente = servidor.cliente();
        estragar(livro.caminho());
        cliente.arrisca("COMPRAR\n");
        assert_eq!(cliente.ouve(), None, "{nome}");
        parou(&servidor.termino());
    }
}

#[test]
fn um_servidor_que_fecha_com_o_livro_trocado_o_diz() {
    for (nome, estragar) in ESTRAGOS {
        println!("{nome}");
        let livro = Arquivo::novo();
        let mut servidor = livro.abrir(Some(10));
        comprar_tres(&servidor);
        estragar(livro.caminho());
        parou(&servidor.encerrar());
    }
}
