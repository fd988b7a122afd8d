//! O que não se abre, dito pelo programa: uma linha que explica, código 1, e o arquivo como estava.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testes::{comando, executar, nao_abre, recusa, sem_privilegios};

use crate::sob_teste::Arquivo;

/// Um livro com três vendas de dez, fechado.
fn com_tres_vendas() -> Arquivo {
    let livro = Arquivo::novo();
    let mut servidor = livro.abrir(Some(10));
    let mut cliente = servidor.cliente();
    for _ in 0..3 {
        cliente.pede("COMPRAR");
    }
    drop(cliente);
    assert_eq!(servidor.encerrar().codigo, Some(0));
    livro
}

/// Confere que o livro não se abre, nem para repor, com estas pistas na explicação, e não é tocado.
fn recusado(livro: &Arquivo, opcoes: &[&str], pistas: &[&str]) {
    let antes = fs::read(livro.caminho()).unwrap();
    let opcoes = [&["--porta", "0", "--livro", livro.caminho()], opcoes].concat();
    let erro = nao_abre(&opcoes);
    for pista in pistas.iter().chain(&[livro.caminho()]) {
        assert!(erro.contains(pista), "{erro}");
    }
    assert!(fs::read(livro.caminho()).unwrap() == antes, "mexeu no arquivo: {erro}");
    // O que o SQLite deixar ao lado não tem nada dentro.
    let wal = fs::metadata(format!("{}-wal", livro.caminho()));
    assert!(wal.is_err() || wal.is_ok_and(|wal| wal.len() == 0), "escreveu ao lado: {erro}");
}

/// Troca bytes do arquivo.
fn trocar(livro: &Arquivo, posicao: usize, bytes: &[u8]) {
    let mut conteudo = fs::read(livro.caminho()).unwrap();
    conteudo[posicao..posicao + bytes.len()].copy_from_slice(bytes);
    fs::write(livro.caminho(), conteudo).unwrap();
}

#[test]
fn o_que_nao_serve_e_recusado_e_fica_como_estava() {
    let texto = Arquivo::novo();
    fs::write(texto.caminho(), "numero,instante\n").unwrap();
    recusado(&texto, &[], &["não é um livro"]);
    recusado(&texto, &["--repor", "5"], &["não é um livro"]);

    let novo = com_tres_vendas();
    trocar(&novo, 60, &3u32.to_be_bytes());
    recusado(&novo, &[], &["formato 3", "só conhece até o 2"]);
    recusado(&novo, &["--repor", "5"], &["formato 3"]);

    let danificado = com_tres_vendas();
    trocar(&danificado, 8192, &[0xAA; 64]);
    recusado(&danificado, &[], &["está danificado", "cópia de segurança"]);
    recusado(&danificado, &["--repor", "5"], &["está danificado"]);

    // As páginas estão boas; é a conta que não fecha. A primeira venda acaba no último byte da página
    // dela, a terceira, que é o que sobrou.
    let adulterado = com_tres_vendas();
    assert_eq!(fs::read(adulterado.caminho()).unwrap()[3 * 4096 - 1], 9);
    trocar(&adulterado, 3 * 4096 - 1, &[5]);
    recusado(&adulterado, &[], &["está danificado", "restante"]);
    recusado(&adulterado, &["--repor", "5"], &["está danificado", "restante"]);
    let extrato = executar("servidor", ["extrato", adulterado.caminho()]);
    assert_eq!(extrato.codigo, Some(1));
    assert!(extrato.saida.contains("NÃO ESTÁ ÍNTEGRO"), "{}", extrato.saida);

    let outro = com_tres_vendas();
    recusado(&outro, &["--estoque", "20"], &["com 10", "com 20", "--repor"]);
    // E continua a ser o livro que era.
    assert_eq!(outro.extrato().vendidas(), 3);
}

#[test]
fn o_livro_de_outro_servidor_e_recusado() {
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    let mut cliente = servidor.cliente();
    assert_eq!(cliente.pede("COMPRAR"), "Compra realizada. Estoque restante: 9");
    for _ in 0..2 {
        let erro = nao_abre(&["--porta", "0", "--livro", livro.caminho()]);
        assert!(erro.contains("outro servidor") && erro.contains(livro.caminho()), "{erro}");
        // O primeiro nem percebeu: ainda vende, e o que vende ainda é firme.
        assert!(cliente.pede("COMPRAR").starts_with("Compra realizada"));
    }
    drop(cliente);
    super::derrubar(servidor);
    assert_eq!(livro.extrato().vendidas(), 3);
}

#[test]
fn quem_nao_pode_escutar_nao_cria_um_livro() {
    let ocupante = testes::Servidor::abrir(&[]);
    let porta = ocupante.endereco().port().to_string();
    let livro = Arquivo::novo();
    let opcoes = ["--endereco", "127.0.0.1", "--porta", &porta, "--livro", livro.caminho()];
    assert!(nao_abre(&opcoes).contains("já está em uso"));
    assert!(!Path::new(livro.caminho()).exists());
}

#[test]
fn um_livro_so_de_leitura_e_recusado() {
    let livro = com_tres_vendas();
    let antes = fs::read(livro.caminho()).unwrap();
    // Nem no arquivo; e depois no arquivo, mas não na pasta, onde o SQLite precisa criar os dele.
    for (do_arquivo, pista) in
        [(0o444, "permissão"), (0o666, "não deixa criar arquivos ao lado dele")]
    {
        let Some(mut comando) = sem_privilegios(livro.pasta(), &livro.comando(None)) else {
            return;
        };
        comando.args(["--endereco", "127.0.0.1", "--porta", "0"]);
        fs::set_permissions(livro.caminho(), Permissions::from_mode(do_arquivo)).unwrap();
        fs::set_permissions(livro.pasta(), Permissions::from_mode(0o555)).unwrap();
        let erro = recusa(comando);
        fs::set_permissions(livro.pasta(), Permissions::from_mode(0o755)).unwrap();
        assert!(erro.contains(pista) && erro.contains(livro.caminho()), "{erro}");
        assert!(fs::read(livro.caminho()).unwrap() == antes, "mexeu no arquivo: {erro}");
    }
    fs::set_permissions(livro.caminho(), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(livro.extrato().vendidas(), 3);
}

#[test]
fn de_quem_nao_pode_entrar_na_pasta_do_livro_nao_se_diz_que_ele_nao_existe() {
    let livro = com_tres_vendas();
    let programa = tempfile::tempdir().unwrap();
    let opcoes = [
        &["--livro", livro.caminho(), "--porta", "0"][..],
        &["--livro", livro.caminho(), "--repor", "5"],
        &["extrato", livro.caminho()],
    ];
    for opcoes in opcoes {
        let Some(comando) = sem_privilegios(programa.path(), &comando("servidor", opcoes)) else {
            return;
        };
        fs::set_permissions(livro.pasta(), Permissions::from_mode(0o000)).unwrap();
        let erro = recusa(comando);
        fs::set_permissions(livro.pasta(), Permissions::from_mode(0o755)).unwrap();
        assert!(erro.contains("não se deixa usar: sem permissão"), "{opcoes:?}: {erro}");
    }
    assert_eq!(livro.extrato().vendidas(), 3);
}
