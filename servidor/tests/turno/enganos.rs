//! Enganos que o servidor já cometeu: cada um com a menor cena que o mostra.

use super::*;

#[test]
fn cada_linha_tem_o_seu_proprio_prazo() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONS");
    mesa.gira();
    for _ in 0..4 {
        mesa.espera(PRAZO_DA_LINHA / 3);
        ana.manda("ULTAR\nCONS");
        mesa.gira();
    }
    assert!(ana.conectada());
}

#[test]
fn a_palavra_solta_atendida_nao_deve_mais_o_fim_da_linha() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda(leitura_cheia_que_termina_em("COMPRAR"));
    mesa.gira();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 4\n");
    mesa.espera(PRAZO_DA_LINHA + UM_SEGUNDO);
    assert!(ana.conectada());
}

#[test]
fn o_atraso_do_laco_nao_e_culpa_de_quem_ja_mandou() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONS");
    mesa.gira();
    ana.manda("ULTAR\n");
    // A máquina dormiu (ou o processo parou) com a linha inteira já no socket.
    mesa.passa(PRAZO_DA_LINHA + UM_SEGUNDO);
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n");
}

#[test]
fn ao_encerrar_quem_disse_sair_antes_nao_ouve_o_aviso_depois_da_despedida() {
    let mut mesa = Mesa::com_estoque(1);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("SAIR\n");
    bia.manda("COMPRAR\n");
    mesa.encerra();
    mesa.gira();
    assert_eq!(ana.ouviu(), ADEUS);
}

#[test]
fn a_recusada_que_quebra_no_turno_do_seu_prazo_devolve_o_lugar() {
    let mut mesa = Mesa::com_limites(
        5,
        Limites { conexoes: 0, por_endereco: None, ocioso: None, memoria: usize::MAX },
    );
    let ana = mesa.entra();
    ana.para_de_ler();
    mesa.gira();
    mesa.espera(PRAZO_DA_SAIDA - UM_SEGUNDO);
    mesa.passa(2 * UM_SEGUNDO);
    ana.quebra();
    mesa.gira();
    assert!(mesa.vazio());
    assert_eq!(mesa.ativas(), 0);
}

#[test]
fn o_prazo_da_linha_nao_corre_para_quem_esperava_ser_lido() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.para_de_ler();
    ana.manda("CONSULTAR\nCONS");
    mesa.gira();
    ana.manda("ULTAR\n");
    for _ in 0..2 {
        mesa.espera(PRAZO_DA_SAIDA - UM_SEGUNDO);
        ana.le_so_mais(1);
        mesa.gira();
    }
    // A ronda dos prazos cai no turno que esvazia a saída, antes do que leria o resto da linha.
    mesa.passa(UM_SEGUNDO);
    ana.volta_a_ler();
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n".repeat(2));
}
