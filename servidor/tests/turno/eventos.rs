//! O que os eventos prometem e o que não prometem, as chaves, e o encerramento.

use super::*;

// Eventos: o que eles prometem e o que não prometem.

#[test]
fn dados_e_fim_no_mesmo_evento_fecham_a_conexao() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONSULTAR\n");
    ana.fecha();
    // A borda vem uma vez só: se a leitura curta esquecesse o fim, ninguém mais o veria.
    mesa.turno();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n");
    assert!(mesa.tem_trabalho());
    mesa.turno();
    assert!(!ana.conectada());
}

#[test]
fn o_fim_que_chega_entre_o_evento_e_a_leitura_tem_o_seu_proprio_evento() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONSULTAR\n");
    mesa.entrega_eventos();
    mesa.so_o_turno();
    // Sem fim à vista, uma leitura curta é o fim do que há: não se lê à toa.
    assert_eq!(mesa.gestos(), [Leu(0), Escreveu(0)]);
    assert!(!mesa.tem_trabalho() && ana.conectada());
    ana.manda("CONSULTAR\n");
    mesa.entrega_eventos();
    ana.fecha();
    mesa.so_o_turno();
    assert!(ana.conectada());
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n".repeat(2));
    assert!(!ana.conectada());
}

/// O evento que diz tudo de uma vez.
const TUDO: Prontidao = Prontidao { legivel: true, gravavel: true, ler_ate_secar: true };

#[test]
fn eventos_falsos_repetidos_ou_de_ninguem_nao_fazem_nada() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, surda) = (mesa.entra(), mesa.entra());
    surda.para_de_ler();
    surda.manda("CONSULTAR\n");
    mesa.gira();
    for _ in 0..2 {
        mesa.marca(77, TUDO);
        mesa.marca(ana.chave, TUDO);
        mesa.marca(surda.chave, TUDO);
        mesa.gira();
    }
    assert_eq!((ana.ouviu(), surda.ouviu()), (String::new(), String::new()));
    ana.manda("COMPRAR\n");
    mesa.marca(ana.chave, Prontidao { legivel: true, ..Prontidao::default() });
    surda.volta_a_ler();
    mesa.gira();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 4\n");
    assert_eq!(surda.ouviu(), "Estoque atual: 5\n");
}

// As chaves.

#[test]
fn a_chave_so_muda_de_dono_entre_turnos_e_nenhum_byte_troca_de_mao() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("COMPRAR\n");
    ana.fecha();
    mesa.entrega_eventos();
    let bia = mesa.entra();
    mesa.gira();
    let caio = mesa.entra();
    assert_eq!((bia.chave == ana.chave, caio.chave), (false, ana.chave));
    // Um evento velho de ana, que o sistema ainda tinha na mão, chega ao novo dono da chave.
    mesa.marca(ana.chave, TUDO);
    caio.manda("CONSULTAR\n");
    mesa.gira();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 4\n");
    assert_eq!((bia.ouviu(), caio.ouviu()), (String::new(), "Estoque atual: 4\n".into()));
    assert!(caio.conectada());
}

#[test]
fn quem_morre_com_leitura_pendente_so_devolve_a_chave_depois_dela() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.so_a_escrita_quebra();
    ana.manda("CONSULTAR\n".repeat(LEITURA_POR_TURNO));
    mesa.turno();
    let bia = mesa.entra();
    assert_ne!(bia.chave, ana.chave);
    bia.manda("CONSULTAR\n");
    mesa.gira();
    assert!(!ana.conectada());
    assert_eq!(bia.ouviu(), "Estoque atual: 5\n");
    assert_eq!(mesa.ativas(), 1);
}

// O encerramento.

#[test]
fn ao_encerrar_o_que_ja_chegou_e_respondido_e_cada_um_ouve_o_fim() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, calada, surda, tagarela) = (mesa.entra(), mesa.entra(), mesa.entra(), mesa.entra());
    surda.para_de_ler();
    surda.manda("CONSULTAR\n");
    mesa.gira();
    surda.manda("CONSULTAR\n");
    ana.manda("COMPRAR\nCOMPR");
    tagarela.manda("CONSULTAR\n".repeat(1000));
    mesa.encerra();
    mesa.gira();
    assert_eq!(ana.ouviu(), format!("Compra realizada. Estoque restante: 4\n{ENCERRANDO}"));
    assert_eq!(calada.ouviu(), ENCERRANDO);
    assert_eq!(tagarela.ouviu(), "Estoque atual: 4\n".repeat(1000) + ENCERRANDO);
    assert!(ana.viu_o_fim() && calada.viu_o_fim() && tagarela.viu_o_fim() && !surda.viu_o_fim());
    surda.volta_a_ler();
    mesa.gira();
    assert_eq!(surda.ouviu(), format!("Estoque atual: 5\nEstoque atual: 4\n{ENCERRANDO}"));
    assert!(surda.viu_o_fim() && !mesa.vazio());
    for cliente in [&ana, &calada, &surda, &tagarela] {
        cliente.fecha();
    }
    mesa.gira();
    assert!(mesa.vazio() && !ana.levou_reset());
}

#[test]
fn ao_encerrar_quem_esgota_o_estoque_ainda_avisa_os_outros() {
    let mut mesa = Mesa::com_estoque(1);
    let (antes, ana) = (mesa.entra(), mesa.entra());
    ana.manda("COMPRAR\n");
    mesa.encerra();
    mesa.gira();
    assert_eq!(antes.ouviu(), format!("{AVISO}{ENCERRANDO}"));
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}{ENCERRANDO}"));
    mesa.espera(PRAZO_PARA_FECHAR + UM_SEGUNDO);
    assert!(mesa.vazio());
}
