//! O fim de uma conexão (em ordem, por reset, por SAIR, por linha longa) e a casa cheia.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

// O fim: em ordem, por reset, por SAIR, por linha longa.

#[test]
fn antes_do_fim_tudo_o_que_chegou_completo_e_respondido() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("COMPRAR\nCONSULTAR\nCOMPRA");
    ana.fecha();
    mesa.gira();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 4\nEstoque atual: 4\n");
    assert!(!ana.conectada());
    assert_eq!(mesa.vendas(), 1);
}

#[test]
fn o_fim_tambem_confirma_a_palavra_solta() {
    for palavra in ["COMPRAR".into(), leitura_cheia_que_termina_em("COMPRAR")] {
        let mut mesa = Mesa::com_estoque(5);
        let ana = mesa.entra();
        ana.manda(palavra);
        ana.fecha();
        mesa.gira();
        assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 4\n");
        assert!(!ana.conectada());
    }
}

#[test]
fn um_reset_nao_completa_nada_nem_desfaz_o_que_ja_valeu() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("COMPRAR\nCOMPRA");
    mesa.turno();
    ana.quebra();
    bia.manda("CONSULTAR\n");
    mesa.gira();
    assert_eq!(mesa.vendas(), 1);
    assert!(!ana.conectada());
    assert_eq!(bia.ouviu(), "Estoque atual: 4\n");
}

#[test]
fn um_reset_nao_confirma_a_palavra_solta_de_uma_leitura_cheia() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda(leitura_cheia_que_termina_em("COMPRAR"));
    ana.quebra();
    mesa.gira();
    assert!(!ana.conectada());
    assert_eq!(mesa.vendas(), 0);
}

#[test]
fn um_reset_na_escrita_so_leva_quem_quebrou() {
    let mut mesa = Mesa::com_estoque(1);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.so_a_escrita_quebra();
    ana.manda("COMPRAR\n");
    mesa.turno();
    assert!(!ana.conectada());
    assert_eq!(bia.ouviu(), AVISO);
    bia.manda("COMPRAR\n");
    mesa.turno();
    assert_eq!(bia.ouviu(), "ERRO: Produto esgotado\n");
}

#[test]
fn sair_se_despede_fecha_a_escrita_e_espera_o_cliente_fechar() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONSULTAR\nSAIR\nCOMPRAR\nCOMPRAR");
    mesa.gira();
    assert_eq!(ana.ouviu(), format!("Estoque atual: 5\n{ADEUS}"));
    assert_eq!(mesa.vendas(), 0);
    assert!(ana.viu_o_fim() && ana.conectada());
    ana.manda("COMPRAR\n");
    mesa.gira();
    assert!(ana.conectada());
    ana.fecha();
    mesa.gira();
    assert!(!ana.conectada());
    assert_eq!(mesa.vendas(), 0);
}

#[test]
fn quem_saiu_e_nao_fecha_e_removido_no_prazo_para_fechar() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("SAIR\n");
    mesa.gira();
    mesa.espera(PRAZO_PARA_FECHAR - UM_SEGUNDO);
    assert!(ana.conectada());
    mesa.espera(2 * UM_SEGUNDO);
    assert!(!ana.conectada() && bia.conectada());
}

#[test]
fn a_linha_longa_ouve_o_erro_e_o_fim_e_nunca_um_reset() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda(format!("CONSULTAR\n{}", "x".repeat(LINHA_MAXIMA + 1)));
    ana.manda("\nCOMPRAR\n".repeat(2 * LEITURA_POR_TURNO));
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\nERRO: Linha longa demais\n");
    assert!(ana.viu_o_fim() && ana.conectada());
    ana.fecha();
    mesa.gira();
    assert!(!ana.conectada() && !ana.levou_reset());
    assert_eq!(mesa.vendas(), 0);
}

// A casa cheia.

#[test]
fn a_casa_cheia_explica_e_fecha_e_quem_ficou_nada_sente() {
    let mut mesa = Mesa::com_limites(
        5,
        Limites { conexoes: 1, por_endereco: None, ocioso: None, memoria: usize::MAX },
    );
    let (ana, bia) = (mesa.entra(), mesa.entra());
    // A explicação espera o turno, sem evento nenhum que o anuncie.
    assert!(mesa.tem_trabalho());
    bia.manda("COMPRAR\n");
    ana.manda("CONSULTAR\n");
    mesa.gira();
    assert_eq!((bia.ouviu(), ana.ouviu()), (LOTADO.into(), "Estoque atual: 5\n".into()));
    assert!(bia.viu_o_fim());
    bia.fecha();
    mesa.gira();
    assert!(!bia.conectada() && !bia.levou_reset() && ana.conectada());
    let esperadas = Contas { conexoes: 1, lotadas: 1, pico: 1, pedidos: 1, ..Contas::default() };
    assert_eq!((mesa.contas(), mesa.ativas()), (esperadas, 1));
}

#[test]
fn o_lugar_de_quem_saiu_e_do_proximo() {
    let mut mesa = Mesa::com_limites(
        5,
        Limites { conexoes: 1, por_endereco: None, ocioso: None, memoria: usize::MAX },
    );
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.fecha();
    mesa.gira();
    let caio = mesa.entra();
    caio.manda("CONSULTAR\n");
    mesa.gira();
    // A recusada ainda está à porta, e não ocupa lugar.
    assert!(bia.conectada());
    assert_eq!(caio.ouviu(), "Estoque atual: 5\n");
    assert_eq!((mesa.contas().conexoes, mesa.contas().pico), (2, 1));
}

#[test]
fn uma_multidao_de_recusados_nao_fica_na_memoria() {
    let mut mesa = Mesa::com_limites(
        5,
        Limites { conexoes: 0, por_endereco: None, ocioso: None, memoria: usize::MAX },
    );
    let multidao: Vec<Cliente> = (0..100).map(|_| mesa.entra()).collect();
    mesa.gira();
    assert!(multidao.iter().all(|cliente| cliente.ouviu() == LOTADO && cliente.viu_o_fim()));
    assert_eq!(multidao.iter().filter(|cliente| cliente.conectada()).count(), 64);
    mesa.espera(PRAZO_PARA_FECHAR + UM_SEGUNDO);
    assert!(mesa.vazio());
    assert_eq!((mesa.contas().lotadas, mesa.ativas()), (100, 0));
}

// Uma pessoa só não enche a casa.

const UM_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn mesa_de_dois_por_endereco() -> Mesa {
    let limites = Limites { conexoes: 5, por_endereco: Some(2), ocioso: None, memoria: usize::MAX };
    Mesa::com_limites(5, limites)
}

#[test]
fn o_terceiro_do_mesmo_endereco_ouve_por_que_e_os_de_outro_entram() {
    let mut mesa = mesa_de_dois_por_endereco();
    let v4 = |fim: u8| IpAddr::from([10, 0, 0, fim]);
    let v6 = |fim: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, fim]);
    let ips = [v4(1), v4(1), v4(1), v4(2), v6(1), v6(2), v6(3)];
    let casa = ips.map(|ip| mesa.entra_de(ip));
    casa.iter().for_each(|cliente| cliente.manda("CONSULTAR\n"));
    mesa.gira();
    let ouviram = casa.each_ref().map(Cliente::ouviu);
    for (vez, ouviu) in ouviram.iter().enumerate() {
        let esperado = match vez {
            2 => LOTADO_PARA_O_IP,
            6 => LOTADO,
            _ => "Estoque atual: 5\n",
        };
        assert_eq!(ouviu, esperado, "{}", ips[vez]);
    }
    let contas = mesa.contas();
    assert_eq!((contas.conexoes, contas.lotadas, contas.lotadas_para_o_ip), (5, 1, 1));
}

#[test]
fn quem_sai_deixa_o_lugar_a_outro_do_mesmo_endereco_e_quem_nem_entrou_nao_o_ocupava() {
    let mut mesa = mesa_de_dois_por_endereco();
    let [ana, _bia, caio] = [UM_IP; 3].map(|ip| mesa.entra_de(ip));
    mesa.gira();
    caio.fecha();
    mesa.gira();
    let davi = mesa.entra_de(UM_IP);
    mesa.gira();
    assert_eq!(
        (caio.ouviu().as_str(), davi.ouviu().as_str()),
        (LOTADO_PARA_O_IP, LOTADO_PARA_O_IP)
    );
    ana.fecha();
    mesa.gira();
    let eva = mesa.entra_de(UM_IP);
    eva.manda("COMPRAR\n");
    mesa.gira();
    assert_eq!(eva.ouviu(), "Compra realizada. Estoque restante: 4\n");
}
