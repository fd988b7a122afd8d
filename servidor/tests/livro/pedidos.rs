//! Os pedidos numerados no livro: o que se responde a um id, depois de fechar e abrir.

use protocolo::{Id, Resposta};
use servidor::estoque::{Estoque, Proposta};

use super::*;

fn id(texto: &str) -> Id {
    Id::ler(texto.as_bytes()).unwrap()
}

/// Um lote em que todas as compras têm um id.
fn pedir(livro: &mut Livro, ids: &[&str]) {
    let compradores = vec![SocketAddr::from(([192, 0, 2, 1], 4000)); ids.len()];
    let numerados: Vec<(usize, Id)> = ids.iter().map(|texto| id(texto)).enumerate().collect();
    let a_venda = livro.contas().restantes();
    let agora = Instant::now();
    let (compradores, numerados) = (&compradores[..], &numerados[..]);
    livro.propor(Proposta { compradores, numerados, a_venda, agora }).unwrap();
}

#[test]
fn o_livro_se_lembra_de_cada_pedido_vendido_ou_recusado() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(3)).unwrap();
    vender(&mut livro, 1);
    pedir(&mut livro, &["a", "b", "c"]);
    drop(livro);
    Livro::repor(&caminho, 10).unwrap();
    let mut livro = Livro::abrir(&caminho, None).unwrap();
    for (pedido, resposta) in [
        ("a", Some(Resposta::Compra { restante: 1 })),
        ("b", Some(Resposta::Compra { restante: 0 })),
        ("c", Some(Resposta::Esgotado)),
        ("A", None),
        ("d", None),
    ] {
        assert_eq!(livro.resposta_a(&id(pedido)).unwrap(), resposta, "{pedido}");
    }
    drop(livro);
    let (texto, veredito) = extrato(&caminho, Forma::Csv);
    assert_eq!(veredito.dano, None);
    let pedidos: Vec<&str> = texto.lines().map(|linha| linha.rsplit(',').next().unwrap()).collect();
    assert_eq!(pedidos, ["pedido", "", "a", "b"]);
}

#[test]
fn um_id_nao_e_uma_formula_na_planilha_e_e_ele_mesmo_no_json() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(1)).unwrap();
    pedir(&mut livro, &["=1+1"]);
    drop(livro);
    assert!(extrato(&caminho, Forma::Csv).0.ends_with(",'=1+1\n"));
    assert!(extrato(&caminho, Forma::Json).0.contains("\"pedido\":\"=1+1\""));
}

#[test]
fn um_livro_do_formato_1_abre_se_le_e_passa_a_guardar_pedidos() {
    let (_pasta, caminho) = pasta();
    livro_com_historia(&caminho);
    // Como o programa de antes o deixaria.
    let banco = Connection::open(&caminho).unwrap();
    banco
        .execute_batch(
            "DROP TABLE recusas; DROP TABLE pedidos;
             PRAGMA user_version = 1; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = delete",
        )
        .unwrap();
    drop(banco);
    let antes = extrato(&caminho, Forma::Json).0;
    assert!(antes.contains("\"pedido\":null"), "{antes}");
    let mut livro = Livro::abrir(&caminho, None).unwrap();
    assert_eq!(livro.contas().vendidas, 7);
    pedir(&mut livro, &["novo"]);
    drop(livro);
    let mut livro = Livro::abrir(&caminho, None).unwrap();
    let resposta = livro.resposta_a(&id("novo")).unwrap();
    assert_eq!(resposta, Some(Resposta::Compra { restante: 7 }));
}

#[test]
fn as_recusas_mais_antigas_se_esquecem() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(0)).unwrap();
    let ids: Vec<String> = (0..100_001).map(|n| format!("p{n}")).collect();
    pedir(&mut livro, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(livro.resposta_a(&id("p0")).unwrap(), None);
    assert_eq!(livro.resposta_a(&id("p1")).unwrap(), Some(Resposta::Esgotado));
    assert_eq!(livro.resposta_a(&id("p100000")).unwrap(), Some(Resposta::Esgotado));
}

#[test]
fn um_pedido_vendido_e_recusado_e_um_dano() {
    let (_pasta, caminho) = pasta();
    let mut livro = Livro::abrir(&caminho, Some(1)).unwrap();
    pedir(&mut livro, &["a", "b"]);
    drop(livro);
    let banco = Connection::open(&caminho).unwrap();
    banco.execute("UPDATE recusas SET pedido = 'a'", []).unwrap();
    banco.pragma_update(None, "journal_mode", "delete").unwrap();
    drop(banco);
    assert!(nao_abre(&caminho, None).contains("vendido e recusado"));
    let banco = Connection::open(&caminho).unwrap();
    banco.execute_batch("UPDATE recusas SET pedido = 'b'; UPDATE pedidos SET venda = 7").unwrap();
    drop(banco);
    assert!(nao_abre(&caminho, None).contains("pedido de uma venda que não há"));
}
