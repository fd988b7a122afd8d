//! A ordem das chamadas de sistema: nenhuma resposta que dependa de uma venda sai antes do fdatasync dela.
//!
//! A regra, sobre o rastro do strace: depois de o servidor ler um COMPRAR que vai valer, nenhum socket
//! leva "Compra realizada", "Estoque atual", "Produto esgotado" ou AVISO até que algo se escreva no WAL *e* um fdatasync
//! dele volte com sucesso; e enquanto houver no WAL o que não está firme, também não. A primeira metade
//! pega quem responde antes de escrever; a segunda, quem responde antes de firmar.

use std::fs;
use std::thread;

use crate::rastro::{
    Instante, caminho_do_rastro, escreve_no_wal, firma_o_wal, ha_strace, instantes,
    manda_ao_cliente, rastrear, sob_strace,
};
use crate::sob_teste::Arquivo;
use testes::{Cliente, Processo, Servidor};

const ANUNCIOS: [&str; 4] = ["Compra realizada", "Estoque atual", "AVISO", "Produto esgotado"];

/// O que um rastro em ordem contou.
#[derive(Debug, Default, PartialEq, Eq)]
struct Contas {
    /// Compras anunciadas.
    compras: usize,
    /// Vezes em que vendas ficaram firmes.
    firmadas: usize,
}

/// Confere a ordem de um rastro em que todo COMPRAR vale; se não vale a regra, diz qual é a chamada.
fn conferir(rastro: &str) -> Result<Contas, String> {
    let mut contas = Contas::default();
    // Há compras lidas ainda não firmes? E bytes no WAL ainda não firmes?
    let (mut pedida, mut escrita) = (false, false);
    for (_, instante) in instantes(rastro) {
        match instante {
            Instante::Comeca(chamada) if escreve_no_wal(chamada) => escrita = true,
            Instante::Comeca(chamada) if manda_ao_cliente(chamada) => {
                if !ANUNCIOS.iter().any(|anuncio| chamada.contains(anuncio)) {
                    continue;
                }
                if pedida || escrita {
                    return Err(format!("anunciada antes de firme: {chamada}"));
                }
                contas.compras += chamada.matches(ANUNCIOS[0]).count();
            }
            Instante::Volta(chamada) if le_uma_compra(&chamada) => pedida = true,
            Instante::Volta(chamada) if escrita && firmou(&chamada) => {
                contas.firmadas += 1;
                (pedida, escrita) = (false, false);
            }
            _ => {}
        }
    }
    Ok(contas)
}

fn firmou(chamada: &str) -> bool {
    firma_o_wal(chamada) && chamada.ends_with(" = 0")
}

fn le_uma_compra(chamada: &str) -> bool {
    (chamada.starts_with("recvfrom(") || chamada.starts_with("read("))
        && chamada.contains("<socket:")
        && chamada.contains("COMPRAR")
}

/// Um turno como o strace o escreve, na ordem certa.
const TURNO: [&str; 5] = [
    r#"7 recvfrom(11<socket:[1]>, "COMPRAR\n", 4096, 0, NULL, NULL) = 8"#,
    r#"7 pwrite64(12</x/v.db-wal>, "\0\0\0\3", 24, 32) = 24"#,
    r#"7 pwrite64(12</x/v.db-wal>, "\r\0\0\0", 4096, 56) = 4096"#,
    r#"7 fdatasync(12</x/v.db-wal>)   = 0"#,
    r#"7 sendto(11<socket:[1]>, "Compra realizada. Estoque restante: 9\n", 38, MSG_NOSIGNAL, NULL, 0) = 38"#,
];

#[test]
fn quem_confere_a_ordem_percebe_um_rastro_fora_dela() {
    let rastro = |ordem: &[usize]| {
        let linhas: Vec<_> = ordem.iter().map(|linha| TURNO[*linha]).collect();
        linhas.join("\n")
    };
    let certo = rastro(&[0, 1, 2, 3, 4]);
    assert_eq!(conferir(&certo), Ok(Contas { compras: 1, firmadas: 1 }));
    for errado in [
        [0, 1, 2, 4].as_slice(),
        &[0, 1, 2, 4, 3],
        &[0, 4, 1, 2, 3],
        &[0, 4],
        &[0, 3, 4],
        &[0, 1, 3, 2, 4],
        &[0, 1, 2, 3, 4, 0, 4],
        &[0, 1, 2, 3, 0, 4],
    ] {
        assert!(conferir(&rastro(errado)).is_err(), "{errado:?}");
    }
    for (de, para) in [
        ("= 0\n", "= -1 EIO (Input/output error)\n"),
        ("fdatasync(12</x/v.db-wal>", "fdatasync(4</x/v.db>"),
        ("\", 24, 32) = 24", "\", 32, 0) = 32"),
    ] {
        let mut estragado = certo.replace(de, para);
        assert_ne!(estragado, certo);
        // Só o cabeçalho do WAL não é a venda: sem a página, não há o que firmar.
        if para.contains("32, 0") {
            estragado = estragado.replace(&format!("{}\n", TURNO[2]), "");
        }
        assert!(conferir(&estragado).is_err(), "{estragado}");
    }
    for anuncio in ["Estoque atual: 9", "AVISO: O estoque acabou de esgotar!"] {
        let outro =
            rastro(&[0, 1, 2, 4, 3]).replace("Compra realizada. Estoque restante: 9", anuncio);
        assert!(conferir(&outro).is_err(), "{outro}");
    }
    // O que não depende de venda nenhuma sai quando quiser.
    let ajuda = rastro(&[0, 4, 1, 2, 3]).replace("Compra realizada. Estoque restante: 9", "ERRO");
    assert!(conferir(&ajuda).is_ok());
    // E uma chamada só vale quando volta.
    let a_meio = |volta: &str| {
        let comeco = "7 fdatasync(12</x/v.db-wal> <unfinished ...>\n9 read(3</y>, \"\", 1) = 0";
        let volta = format!("7 <... fdatasync resumed>) = {volta}");
        [TURNO[0], TURNO[1], TURNO[2], comeco, &volta, TURNO[4]].map(String::from)
    };
    assert!(conferir(&a_meio("0").join("\n")).is_ok());
    assert!(conferir(&a_meio("-1 EIO (Input/output error)").join("\n")).is_err());
    let mut antes_da_volta = a_meio("0");
    antes_da_volta.swap(4, 5);
    assert!(conferir(&antes_da_volta.join("\n")).is_err());
}

/// As chamadas de um rastro que já voltaram antes de se escrever isto na saída de erro.
fn antes_de_dizer(rastro: &str, o_que: &str) -> Vec<String> {
    let dito = |instante: &Instante<'_>| matches!(instante, Instante::Comeca(chamada) if chamada.starts_with("write(2<") && chamada.contains(o_que));
    let instantes = instantes(rastro);
    assert!(instantes.iter().any(|(_, instante)| dito(instante)), "não disse {o_que:?}");
    let antes = instantes.into_iter().take_while(|(_, instante)| !dito(instante));
    antes
        .filter_map(|(_, instante)| match instante {
            Instante::Volta(chamada) => Some(chamada),
            Instante::Comeca(_) => None,
        })
        .collect()
}

/// A última escrita com esta cara teve depois um fdatasync do mesmo arquivo, com sucesso?
fn ficou_firme(chamadas: &[String], escrita: impl Fn(&str) -> bool, arquivo: &str) -> bool {
    let ultima = chamadas.iter().rposition(|chamada| escrita(chamada)).expect("não escreveu");
    chamadas[ultima..].iter().any(|chamada| {
        chamada.starts_with("fdatasync(") && chamada.contains(arquivo) && chamada.ends_with(" = 0")
    })
}

#[test]
fn a_marca_fica_firme_antes_de_alguem_ser_atendido() {
    if !ha_strace() {
        return;
    }
    let livro = Arquivo::novo();
    let mut servidor = Servidor::de(sob_strace(&livro, Some(10), None));
    assert_eq!(servidor.encerrar().codigo, Some(0));
    let rastro = fs::read_to_string(caminho_do_rastro(&livro)).unwrap();
    let antes = antes_de_dizer(&rastro, "ouvindo em");
    let marca = |chamada: &str| chamada.contains("vendas.db>, \"com vendas -wal");
    assert!(ficou_firme(&antes, marca, "vendas.db>"), "{antes:#?}");
}

#[test]
fn uma_reposicao_so_e_dita_depois_de_firme() {
    if !ha_strace() {
        return;
    }
    let livro = Arquivo::novo();
    assert_eq!(livro.abrir(Some(10)).encerrar().codigo, Some(0));
    let repor = testes::comando("servidor", ["--livro", livro.caminho(), "--repor", "5"]);
    let termino = Processo::iniciar(rastrear(&livro, &repor, &[])).termino();
    assert_eq!(termino.codigo, Some(0), "{}", termino.erro);
    let rastro = fs::read_to_string(caminho_do_rastro(&livro)).unwrap();
    let antes = antes_de_dizer(&rastro, "repostas agora");
    assert!(ficou_firme(&antes, escreve_no_wal, "-wal>"), "{antes:#?}");
}

#[test]
fn depois_de_uma_queda_as_vendas_passam_para_o_arquivo_antes_de_alguem_as_ouvir() {
    if !ha_strace() {
        return;
    }
    let livro = Arquivo::novo();
    let servidor = livro.abrir(Some(10));
    crate::comprar_tres(&servidor);
    crate::derrubar(servidor);
    let mut servidor = Servidor::de(sob_strace(&livro, None, None));
    assert_eq!(servidor.encerrar().codigo, Some(0));
    let rastro = fs::read_to_string(caminho_do_rastro(&livro)).unwrap();
    let antes = antes_de_dizer(&rastro, "ouvindo em");
    let pagina = |chamada: &str| {
        chamada.starts_with("pwrite64(")
            && chamada.contains("vendas.db>")
            && chamada.ends_with(" = 4096")
    };
    assert!(ficou_firme(&antes, pagina, "vendas.db>"), "{antes:#?}");
}

/// Compra estas unidades, ora uma, ora várias de uma vez.
fn comprar(mut cliente: Cliente, unidades: usize) {
    let mut faltam = unidades;
    for pedaco in [1, 5, 1, 1, 9].iter().cycle() {
        let quantas = faltam.min(*pedaco);
        cliente.manda("COMPRAR\n".repeat(quantas));
        let mut respostas = 0;
        while respostas < quantas {
            let linha = cliente.linha();
            respostas += usize::from(linha.starts_with("Compra realizada"));
        }
        faltam -= quantas;
        if faltam == 0 {
            return;
        }
        cliente.pede("CONSULTAR");
    }
}

#[test]
fn nenhuma_resposta_sai_antes_do_fdatasync_dela() {
    if !ha_strace() {
        return;
    }
    const FREGUESES: usize = 4;
    const CADA_UM: usize = 2_500;
    let livro = Arquivo::novo();
    let mut servidor = Servidor::de(sob_strace(&livro, Some((FREGUESES * CADA_UM) as u64), None));
    let fregueses: Vec<_> = (0..FREGUESES)
        .map(|_| {
            let cliente = servidor.cliente();
            thread::spawn(move || comprar(cliente, CADA_UM))
        })
        .collect();
    for fregues in fregueses {
        fregues.join().unwrap();
    }
    assert_eq!(servidor.encerrar().codigo, Some(0));
    let rastro = fs::read_to_string(caminho_do_rastro(&livro)).unwrap();
    let contas = conferir(&rastro).unwrap();
    println!("{contas:?}");
    assert_eq!(contas.compras, FREGUESES * CADA_UM);
    assert!(contas.firmadas > 0 && contas.firmadas <= contas.compras, "{contas:?}");
    assert_eq!(livro.extrato().vendidas() as usize, contas.compras);
}
