//! O arquivo separado do WAL dele, depois de uma queda: recusado, com o nome do que falta; juntos, abrem.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use testes::{executar, nao_abre, por_meio_de, recusa};

use crate::sob_teste::Arquivo;
use crate::{comprar_tres, derrubar};

/// Um livro com três vendas de dez, de um servidor que caiu.
fn caido() -> Arquivo {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    comprar_tres(&servidor);
    derrubar(servidor);
    livro
}

fn wal(livro: &str) -> String {
    format!("{livro}-wal")
}

/// Nem para vender, nem para repor; e o extrato diz que não é tudo.
fn recusado(livro: &str) {
    let antes = fs::read(livro).unwrap();
    for opcoes in [["--porta", "0"], ["--repor", "5"]] {
        let erro = nao_abre(&[&["--livro", livro], &opcoes[..]].concat());
        for pista in [livro, "vendas.db-wal", "traga-o de volta"] {
            assert!(erro.contains(pista), "{erro}");
        }
    }
    let extrato = executar("servidor", ["extrato", livro]);
    assert_eq!(extrato.codigo, Some(1));
    assert!(extrato.saida.contains("NÃO ESTÁ ÍNTEGRO"), "{}", extrato.saida);
    assert!(extrato.erro.contains("vendas.db-wal"), "{}", extrato.erro);
    assert!(fs::read(livro).unwrap() == antes, "mexeu no arquivo");
}

#[test]
fn levar_so_o_arquivo_depois_de_uma_queda_e_recusado_e_levar_todos_nao() {
    let livro = caido();
    let outro = Arquivo::novo();
    fs::rename(livro.caminho(), outro.caminho()).unwrap();
    recusado(outro.caminho());
    // E o que ficou para trás não se perde por se abrir outro livro ali.
    assert!(nao_abre(&["--porta", "0", "--livro", livro.caminho()]).contains("-wal"));
    fs::rename(wal(livro.caminho()), wal(outro.caminho())).unwrap();
    assert_eq!(outro.extrato().vendidas(), 3);
    assert_eq!(outro.abrir(Some(10)).encerrar().codigo, Some(0));
    // Fechado em ordem, é um arquivo só, que se leva para onde se quiser.
    assert_eq!(fs::read_dir(outro.pasta()).unwrap().count(), 1);
    fs::rename(outro.caminho(), livro.caminho()).unwrap();
    assert_eq!(livro.extrato().vendidas(), 3);
    assert_eq!(livro.abrir(None).encerrar().codigo, Some(0));
}

#[test]
fn apagar_o_wal_depois_de_uma_queda_e_recusado() {
    let livro = caido();
    fs::remove_file(wal(livro.caminho())).unwrap();
    recusado(livro.caminho());
}

#[test]
fn copiar_so_o_arquivo_de_um_servidor_aberto_e_recusado() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    comprar_tres(&servidor);
    let copia = Arquivo::novo();
    fs::copy(livro.caminho(), copia.caminho()).unwrap();
    recusado(copia.caminho());
    drop(servidor);
}

/// Um recipiente que só recebe o arquivo, e não a pasta: o WAL fica do lado de dentro, e some com ele.
#[test]
fn so_o_arquivo_montado_em_outra_pasta_e_recusado_na_segunda_vez() {
    let livro = Arquivo::novo();
    assert_eq!(livro.abrir(Some(10)).encerrar().codigo, Some(0));
    let dentro = livro.pasta().join("dentro");
    fs::create_dir(&dentro).unwrap();
    let montado = dentro.join("vendas.db");
    fs::write(&montado, "").unwrap();
    let roteiro =
        format!("mount --bind '{}' '{}' && exec \"$@\"", livro.caminho(), montado.display());
    let por = ["unshare", "-m", "sh", "-c", &roteiro, "sh"];
    let mut prova = Command::new("unshare");
    prova.args(["-m", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    if !prova.status().is_ok_and(|estado| estado.success()) {
        return println!("sem permissão para montar: teste pulado");
    }
    let servir = |porta: bool| {
        let porta: &[&str] = if porta { &["--endereco", "127.0.0.1", "--porta", "0"] } else { &[] };
        let mut comando = testes::comando("servidor", ["--silencioso", "--livro"]);
        comando.arg(&montado).args(porta);
        por_meio_de(&por, &comando)
    };
    let servidor = testes::Servidor::de(servir(false));
    comprar_tres(&servidor);
    derrubar(servidor);
    // Outro recipiente: uma pasta nova, com o mesmo arquivo montado.
    fs::remove_file(wal(montado.to_str().unwrap())).unwrap();
    let erro = recusa(servir(true));
    assert!(erro.contains("vendas.db-wal"), "{erro}");
    assert!(Path::new(livro.caminho()).exists());
}
