//! O turno de produção (`Balcao` e `Conexao`), passo a passo, com fluxos em memória.
//!
//! Cada teste é uma cena curta: clientes entram, mandam bytes, o turno gira, e se confere o que
//! cada um ouviu, byte por byte. O fluxo é o [`mesa::FluxoFalso`], mais severo que o Linux, e o
//! relógio só anda quando a cena manda: nada dorme, nada depende da sorte, e uma hora ocioso leva
//! microssegundos. Por baixo de todas as cenas, a [`Mesa`] confere em cada turno que marcar não
//! toca em fluxo nenhum, que ninguém é lido duas vezes e que toda leitura vem antes de qualquer
//! escrita.
//!
//! Aqui não há socket, mio, sinais, registro nem threads: disso cuidam os testes de ponta a ponta.
//! E as regras do enquadramento e do estoque têm os seus testes onde elas moram; aqui se prova que
//! o turno as usa na hora certa.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use protocolo::{LINHA_MAXIMA, Mensagem};
use servidor::balcao::{Contas, Limites};
use servidor::conexao::{
    LEITURA_POR_TURNO, PRAZO_DA_LINHA, PRAZO_DA_SAIDA, PRAZO_DO_ADEUS, Prontidao,
};

use mesa::Gesto::{Escreveu, Leu};
use mesa::{Cliente, Mesa};

const AVISO: &str = "AVISO: O estoque acabou de esgotar!\n";
const ULTIMA: &str = "Compra realizada. Estoque restante: 0\n";
const ADEUS: &str = "Volte sempre!\n";
const LOTADO: &str = "ERRO: Servidor lotado\n";

const UM_SEGUNDO: Duration = Duration::from_secs(1);
const UMA_HORA: Duration = Duration::from_secs(3600);

// Respostas: exatas, na ordem, e só depois de tudo decidido.

#[test]
fn respostas_exatas_na_ordem_dos_pedidos() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    ana.manda("CONSULTAR\n\ncomprar\r\n  Ajuda \nabc\nCONSULTAR\n");
    mesa.turno();
    assert_eq!(
        ana.ouviu(),
        "Estoque atual: 2\n\
         Compra realizada. Estoque restante: 1\n\
         Comandos: CONSULTAR (estoque atual), COMPRAR (uma unidade), AJUDA, SAIR\n\
         ERRO: Comando desconhecido. Use CONSULTAR, COMPRAR, AJUDA ou SAIR\n\
         Estoque atual: 1\n"
    );
    assert_eq!(mesa.contas().pedidos, 5);
}

#[test]
fn quem_entra_nao_ouve_nada_antes_de_pedir() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    mesa.turno();
    mesa.espera(UMA_HORA);
    assert_eq!(ana.ouviu(), "");
    assert!(ana.conectada());
}

#[test]
fn nada_sai_antes_de_o_lote_inteiro_estar_decidido() {
    let mut mesa = Mesa::com_estoque(2);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("COMPRAR\n");
    bia.manda("COMPRAR\n");
    mesa.turno();
    // Uma leitura de cada, e só então uma escrita para cada, com o AVISO junto da resposta.
    assert_eq!(mesa.gestos(), [Leu(0), Leu(1), Escreveu(0), Escreveu(1)]);
    assert_eq!(ana.ouviu(), format!("Compra realizada. Estoque restante: 1\n{AVISO}"));
    assert_eq!(bia.ouviu(), format!("{ULTIMA}{AVISO}"));
}

// O AVISO: a quem, quando e quantas vezes.

#[test]
fn o_aviso_vem_depois_da_resposta_do_comprador_e_chega_a_todos_no_mesmo_turno() {
    let mut mesa = Mesa::com_estoque(1);
    let (antes, ana, depois) = (mesa.entra(), mesa.entra(), mesa.entra());
    ana.manda("COMPRAR\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}"));
    assert_eq!((antes.ouviu(), depois.ouviu()), (AVISO.into(), AVISO.into()));
}

#[test]
fn o_aviso_sai_uma_vez_so() {
    let mut mesa = Mesa::com_estoque(1);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("COMPRAR\nCOMPRAR\n");
    bia.manda("COMPRAR\n");
    mesa.turno();
    bia.manda("COMPRAR\n");
    mesa.gira();
    let esgotado = "ERRO: Produto esgotado\n";
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}{esgotado}"));
    assert_eq!(bia.ouviu(), format!("{AVISO}{esgotado}{esgotado}"));
}

#[test]
fn quem_so_fechou_o_seu_lado_no_turno_da_venda_ainda_ouve_o_aviso() {
    let mut mesa = Mesa::com_estoque(1);
    let (antes, ana, depois) = (mesa.entra(), mesa.entra(), mesa.entra());
    antes.fecha();
    ana.manda("COMPRAR\n");
    depois.fecha();
    mesa.turno();
    assert_eq!((antes.ouviu(), depois.ouviu()), (AVISO.into(), AVISO.into()));
    assert!(!antes.conectada() && !depois.conectada() && ana.conectada());
}

#[test]
fn quem_compra_a_ultima_e_sai_ouve_o_aviso_antes_do_adeus() {
    let mut mesa = Mesa::com_estoque(1);
    let ana = mesa.entra();
    ana.manda("COMPRAR\nSAIR\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}{ADEUS}"));
}

#[test]
fn o_aviso_nao_e_de_quem_saiu_antes_foi_recusado_ou_chegou_depois() {
    let mut mesa = Mesa::com_limites(1, Limites { conexoes: 3, ocioso: None, memoria: usize::MAX });
    let (saiu_ontem, saiu_agora, ana) = (mesa.entra(), mesa.entra(), mesa.entra());
    saiu_ontem.manda("SAIR\n");
    mesa.turno();
    let recusada = mesa.entra();
    recusada.para_de_ler();
    saiu_agora.manda("SAIR\n");
    ana.manda("COMPRAR\n");
    mesa.gira();
    recusada.volta_a_ler();
    saiu_ontem.fecha();
    mesa.gira();
    let atrasada = mesa.entra();
    mesa.gira();
    assert_eq!((saiu_ontem.ouviu(), saiu_agora.ouviu()), (ADEUS.into(), ADEUS.into()));
    assert_eq!((recusada.ouviu(), atrasada.ouviu()), (LOTADO.into(), String::new()));
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}"));
}

#[test]
fn quem_consulta_em_volta_da_venda_ouve_tudo_no_seu_lugar() {
    let mut mesa = Mesa::com_estoque(1);
    let (antes, ana, depois) = (mesa.entra(), mesa.entra(), mesa.entra());
    antes.manda("CONSULTAR\n");
    ana.manda("CONSULTAR\nCOMPRAR\nCONSULTAR\n");
    depois.manda("CONSULTAR\n");
    mesa.turno();
    assert_eq!(antes.ouviu(), format!("Estoque atual: 1\n{AVISO}"));
    assert_eq!(ana.ouviu(), format!("Estoque atual: 1\n{ULTIMA}{AVISO}Estoque atual: 0\n"));
    assert_eq!(depois.ouviu(), format!("{AVISO}Estoque atual: 0\n"));
}

// A palavra solta: os clientes que não mandam fim de linha.

#[test]
fn a_palavra_solta_vale_na_hora_e_o_fim_de_linha_atrasado_nao_diz_nada() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    ana.manda("COMPRAR");
    mesa.turno();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 1\n");
    ana.manda("\r\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), "");
    assert_eq!(mesa.contas().pedidos, 1);
}

#[test]
fn meia_palavra_espera_a_outra_metade() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    for pedaco in ["CONS", "ULT", "SAI"] {
        ana.manda(pedaco);
        mesa.gira();
        assert_eq!(ana.ouviu(), "");
    }
    ana.manda("\nCONSUL");
    mesa.gira();
    assert!(ana.ouviu().starts_with("ERRO: Comando desconhecido"));
    ana.manda("TAR");
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 2\n");
}

#[test]
fn a_palavra_solta_no_fim_de_uma_leitura_cheia_vale_quando_o_socket_seca() {
    let mut mesa = Mesa::com_estoque(2);
    let ana = mesa.entra();
    ana.manda(leitura_cheia_que_termina_em("COMPRAR"));
    mesa.turno();
    // A leitura veio cheia: ainda não se sabe se a linha continua.
    assert_eq!(ana.ouviu(), "");
    assert!(mesa.tem_trabalho());
    mesa.turno();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 1\n");
}

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
fn quem_saiu_e_nao_fecha_e_enterrado_no_prazo_do_adeus() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("SAIR\n");
    mesa.gira();
    mesa.espera(PRAZO_DO_ADEUS - UM_SEGUNDO);
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
    let mut mesa = Mesa::com_limites(5, Limites { conexoes: 1, ocioso: None, memoria: usize::MAX });
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
    let esperadas = Contas { conexoes: 1, lotadas: 1, pico: 1, pedidos: 1 };
    assert_eq!((mesa.contas(), mesa.ativas()), (esperadas, 1));
}

#[test]
fn o_lugar_de_quem_saiu_e_do_proximo() {
    let mut mesa = Mesa::com_limites(5, Limites { conexoes: 1, ocioso: None, memoria: usize::MAX });
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
    let mut mesa = Mesa::com_limites(5, Limites { conexoes: 0, ocioso: None, memoria: usize::MAX });
    let multidao: Vec<Cliente> = (0..100).map(|_| mesa.entra()).collect();
    mesa.gira();
    assert!(multidao.iter().all(|cliente| cliente.ouviu() == LOTADO && cliente.viu_o_fim()));
    assert_eq!(multidao.iter().filter(|cliente| cliente.conectada()).count(), 64);
    mesa.espera(PRAZO_DO_ADEUS + UM_SEGUNDO);
    assert!(mesa.vazio());
    assert_eq!((mesa.contas().lotadas, mesa.ativas()), (100, 0));
}

// Ritmos: quem não lê, quem lê aos goles, quem manda sem parar.

#[test]
fn de_quem_nao_le_nao_se_le_mais_e_depois_tudo_sai_na_ordem() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.para_de_ler();
    ana.manda("COMPRAR\nCONSULTAR\n");
    mesa.turno();
    // Duas respostas, mas uma só tentativa de escrever.
    assert_eq!(mesa.gestos(), [Leu(0), Escreveu(0)]);
    ana.manda("COMPRAR\nCONSULTAR\n");
    bia.manda("CONSULTAR\n");
    mesa.gira();
    // A segunda compra de ana ficou no socket dela: só uma unidade foi vendida.
    assert_eq!((bia.ouviu(), mesa.vendas()), ("Estoque atual: 4\n".into(), 1));
    ana.le_so_mais(10);
    mesa.gira();
    assert_eq!((ana.ouviu(), mesa.vendas()), ("Compra rea".into(), 1));
    ana.volta_a_ler();
    mesa.gira();
    assert_eq!(
        ana.ouviu(),
        "lizada. Estoque restante: 4\n\
         Estoque atual: 4\n\
         Compra realizada. Estoque restante: 3\n\
         Estoque atual: 3\n"
    );
}

#[test]
fn quem_fecha_sem_ter_lido_ainda_recebe_tudo_antes_do_enterro() {
    let mut mesa = Mesa::com_estoque(1);
    let ana = mesa.entra();
    ana.para_de_ler();
    ana.manda("COMPRAR\n");
    mesa.gira();
    ana.manda("CONSULTAR\n");
    ana.fecha();
    mesa.gira();
    assert!(ana.conectada());
    ana.volta_a_ler();
    mesa.gira();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}Estoque atual: 0\n"));
    assert!(!ana.conectada());
}

#[test]
fn escritas_de_um_byte_dao_os_mesmos_bytes() {
    let mut mesa = Mesa::com_estoque(1);
    let ana = mesa.entra();
    ana.le_aos_goles_de(1);
    ana.manda("COMPRAR\nSAIR\n");
    mesa.gira();
    assert_eq!(ana.ouviu(), format!("{ULTIMA}{AVISO}{ADEUS}"));
    assert!(ana.viu_o_fim());
}

#[test]
fn uma_interrupcao_do_sistema_nao_e_um_erro() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONSULTAR\n");
    ana.interrompe_uma_leitura_e_uma_escrita();
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n");
    assert!(ana.conectada());
}

#[test]
fn quem_manda_sem_parar_nao_faz_ninguem_esperar() {
    let mut mesa = Mesa::com_estoque(5);
    let (tagarela, ana) = (mesa.entra(), mesa.entra());
    let pedidos = 100 * 1024 / "CONSULTAR\n".len();
    tagarela.manda("CONSULTAR\n".repeat(pedidos));
    ana.manda("COMPRAR\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 4\n");
    // Uma leitura por turno, e o trabalho não acaba antes dos bytes.
    for _ in 1..102_400 / LEITURA_POR_TURNO {
        assert!(mesa.tem_trabalho());
        mesa.turno();
    }
    mesa.gira();
    assert!(!mesa.tem_trabalho());
    assert_eq!(tagarela.ouviu().lines().count(), pedidos);
}

#[test]
fn o_lote_tem_teto_e_quem_sobra_e_o_primeiro_do_turno_seguinte() {
    let mut mesa = Mesa::com_estoque(5);
    let tagarelas: Vec<Cliente> = (0..8).map(|_| mesa.entra()).collect();
    let ana = mesa.entra();
    for tagarela in &tagarelas {
        tagarela.manda("x\n".repeat(LEITURA_POR_TURNO));
    }
    ana.manda("CONSULTAR\n");
    mesa.turno();
    assert_eq!(ana.ouviu(), "");
    assert!(mesa.tem_trabalho());
    mesa.turno();
    assert_eq!(mesa.gestos().first(), Some(&Leu(8)));
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n");
    mesa.gira();
    assert!(tagarelas.iter().all(|t| t.ouviu().lines().count() == LEITURA_POR_TURNO));
}

// Prazos, com o relógio na mão.

#[test]
fn o_ocioso_sai_no_prazo_e_quem_falou_fica() {
    let ocioso = Some(Duration::from_secs(60));
    let mut mesa = Mesa::com_limites(5, Limites { conexoes: 9, ocioso, memoria: usize::MAX });
    let (ana, bia) = (mesa.entra(), mesa.entra());
    mesa.espera(Duration::from_secs(40));
    bia.manda("CONSULTAR\n");
    mesa.gira();
    mesa.espera(Duration::from_secs(19));
    assert!(ana.conectada());
    mesa.espera(2 * UM_SEGUNDO);
    assert!(!ana.conectada() && bia.conectada());
    mesa.espera(Duration::from_secs(40));
    assert!(!bia.conectada() && mesa.vazio());
}

#[test]
fn sem_o_prazo_de_ocioso_uma_hora_calado_nao_e_crime() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.manda("CONS");
    mesa.gira();
    mesa.espera(PRAZO_DA_LINHA - UM_SEGUNDO);
    ana.manda("ULTAR\n");
    mesa.gira();
    mesa.espera(UMA_HORA);
    ana.manda("CONSULTAR");
    mesa.gira();
    assert_eq!(ana.ouviu(), "Estoque atual: 5\n".repeat(2));
}

#[test]
fn um_byte_de_vez_em_quando_nao_estica_o_prazo_da_linha() {
    let mut mesa = Mesa::com_estoque(5);
    let (ana, bia) = (mesa.entra(), mesa.entra());
    ana.manda("x");
    mesa.gira();
    for _ in 1..PRAZO_DA_LINHA.as_secs() {
        mesa.espera(UM_SEGUNDO);
        ana.manda("x");
        mesa.gira();
        assert!(ana.conectada());
    }
    mesa.espera(2 * UM_SEGUNDO);
    assert!(!ana.conectada() && bia.conectada());
}

#[test]
fn o_prazo_da_saida_conta_desde_que_ha_o_que_dizer() {
    let mut mesa = Mesa::com_estoque(1);
    let (surda, ana) = (mesa.entra(), mesa.entra());
    surda.para_de_ler();
    mesa.espera(UMA_HORA);
    ana.manda("COMPRAR\n");
    mesa.gira();
    mesa.espera(PRAZO_DA_SAIDA - UM_SEGUNDO);
    assert!(surda.conectada());
    mesa.espera(2 * UM_SEGUNDO);
    assert!(!surda.conectada() && ana.conectada());
}

#[test]
fn quem_le_devagar_mas_le_nao_perde_o_prazo_da_saida() {
    let mut mesa = Mesa::com_estoque(5);
    let ana = mesa.entra();
    ana.para_de_ler();
    ana.manda("CONSULTAR\n");
    mesa.gira();
    for _ in 0.."Estoque atual: 5".len() {
        mesa.espera(PRAZO_DA_SAIDA - UM_SEGUNDO);
        ana.le_so_mais(1);
        mesa.gira();
    }
    assert_eq!(ana.ouviu(), "Estoque atual: 5");
    mesa.espera(PRAZO_DA_SAIDA + UM_SEGUNDO);
    assert!(!ana.conectada());
}

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
    assert_eq!(ana.ouviu(), "Compra realizada. Estoque restante: 4\n");
    assert_eq!(calada.ouviu(), "");
    assert_eq!(tagarela.ouviu(), "Estoque atual: 4\n".repeat(1000));
    assert!(ana.viu_o_fim() && calada.viu_o_fim() && tagarela.viu_o_fim() && !surda.viu_o_fim());
    surda.volta_a_ler();
    mesa.gira();
    assert_eq!(surda.ouviu(), "Estoque atual: 5\nEstoque atual: 4\n");
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
    assert_eq!((antes.ouviu(), ana.ouviu()), (AVISO.into(), format!("{ULTIMA}{AVISO}")));
    mesa.espera(PRAZO_DO_ADEUS + UM_SEGUNDO);
    assert!(mesa.vazio());
}

// Enganos que o servidor já cometeu: cada um com a menor cena que o mostra.

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
fn ao_encerrar_quem_disse_sair_antes_nao_ouve_o_aviso_depois_do_adeus() {
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
    let mut mesa = Mesa::com_limites(5, Limites { conexoes: 0, ocioso: None, memoria: usize::MAX });
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

// Ao acaso: muitos clientes, cortes e ritmos quaisquer.

/// O que um cliente vai mandar, e em que ritmo ele lê e os seus bytes chegam.
#[derive(Debug, Clone)]
struct Roteiro {
    linhas: Vec<&'static str>,
    gole: usize,
    chegada: usize,
}

/// Um acontecimento da cena. O cliente é um índice qualquer, levado para a faixa dos que existem.
#[derive(Debug, Clone)]
enum Passo {
    Manda(Index, usize),
    ParaDeLer(Index),
    LeSoMais(Index, usize),
    VoltaALer(Index),
    Turno,
}

fn roteiro() -> impl Strategy<Value = Roteiro> {
    let linha = prop::sample::select(vec!["CONSULTAR\n", "COMPRAR\n", "comprar\r\n", "AJUDA\n"]);
    let ritmo = || prop_oneof![1usize..30, Just(usize::MAX)];
    (prop::collection::vec(linha, 0..12), ritmo(), ritmo())
        .prop_map(|(linhas, gole, chegada)| Roteiro { linhas, gole, chegada })
}

fn passo() -> impl Strategy<Value = Passo> {
    let quem = any::<Index>;
    prop_oneof![
        4 => (quem(), 1usize..40).prop_map(|(quem, bytes)| Passo::Manda(quem, bytes)),
        1 => quem().prop_map(Passo::ParaDeLer),
        1 => (quem(), 1usize..60).prop_map(|(quem, bytes)| Passo::LeSoMais(quem, bytes)),
        1 => quem().prop_map(Passo::VoltaALer),
        3 => Just(Passo::Turno),
    ]
}

/// Encena os passos e, no fim, manda o que faltava e deixa todos lerem.
fn encenar(mesa: &mut Mesa, roteiros: &[Roteiro], passos: &[Passo]) -> Vec<Cliente> {
    let clientes: Vec<Cliente> = roteiros.iter().map(|_| mesa.entra()).collect();
    let mut faltas: Vec<String> = roteiros.iter().map(|roteiro| roteiro.linhas.concat()).collect();
    for (cliente, roteiro) in clientes.iter().zip(roteiros) {
        cliente.le_aos_goles_de(roteiro.gole);
        cliente.chega_aos_pedacos_de(roteiro.chegada);
    }
    for passo in passos {
        match passo {
            Passo::Manda(quem, bytes) => {
                let falta = quem.get_mut(&mut faltas);
                let corte = falta.len().min(*bytes);
                quem.get(&clientes).manda(falta.drain(..corte).as_str());
            }
            Passo::ParaDeLer(quem) => quem.get(&clientes).para_de_ler(),
            Passo::LeSoMais(quem, bytes) => quem.get(&clientes).le_so_mais(*bytes),
            Passo::VoltaALer(quem) => quem.get(&clientes).volta_a_ler(),
            Passo::Turno => mesa.turno(),
        }
    }
    for (cliente, falta) in clientes.iter().zip(faltas) {
        cliente.manda(falta);
        cliente.volta_a_ler();
    }
    mesa.gira();
    clientes
}

/// Esta mensagem pode ser a resposta a esta linha?
fn responde(mensagem: &Mensagem, linha: &str) -> bool {
    match linha.trim_end() {
        "CONSULTAR" => matches!(mensagem, Mensagem::Estoque(_)),
        "AJUDA" => matches!(mensagem, Mensagem::Outra(texto) if texto.starts_with("Comandos: ")),
        _ => matches!(mensagem, Mensagem::Compra { .. } | Mensagem::Esgotado),
    }
}

/// Antes do AVISO ainda há o que vender (menos para quem comprou a última); depois, nada mais.
fn aviso_no_lugar(mensagens: &[Mensagem]) -> bool {
    let aviso = mensagens.iter().position(|m| matches!(m, Mensagem::Aviso(_)));
    let (antes, depois) = mensagens.split_at(aviso.unwrap_or(mensagens.len()));
    let esgotado = |m: &Mensagem| matches!(m, Mensagem::Estoque(0) | Mensagem::Esgotado);
    let vendeu = |m: &Mensagem| matches!(m, Mensagem::Compra { .. });
    let sobrava = |m: &Mensagem| matches!(m, Mensagem::Estoque(n) if *n > 0);
    aviso.is_none()
        || !antes.iter().any(esgotado) && !depois.iter().any(|m| vendeu(m) || sobrava(m))
}

proptest! {
    // Falhou, o caso encolhido já vem na mensagem: não é preciso guardá-lo em um arquivo.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cortes_e_ritmos_ao_acaso_nao_mudam_a_conta(
        estoque in 0u64..15,
        roteiros in prop::collection::vec(roteiro(), 1..5),
        passos in prop::collection::vec(passo(), 0..80),
    ) {
        let mut mesa = Mesa::com_estoque(estoque);
        let clientes = encenar(&mut mesa, &roteiros, &passos);
        let compras = roteiros.iter().flat_map(|roteiro| &roteiro.linhas)
            .filter(|linha| linha.to_uppercase().starts_with("COMPRAR"))
            .count() as u64;
        let vendas = compras.min(estoque);
        let esgotou = estoque > 0 && vendas == estoque;

        let mut restantes = Vec::new();
        for (cliente, roteiro) in clientes.iter().zip(&roteiros) {
            let ouvido = cliente.ouviu();
            let mensagens: Vec<Mensagem> =
                ouvido.lines().map(|linha| Mensagem::interpretar(linha.as_bytes())).collect();
            let (avisos, respostas): (Vec<&Mensagem>, Vec<&Mensagem>) =
                mensagens.iter().partition(|m| matches!(m, Mensagem::Aviso(_)));
            prop_assert_eq!(avisos.len(), usize::from(esgotou));
            prop_assert!(aviso_no_lugar(&mensagens), "{}", ouvido);
            prop_assert_eq!(respostas.len(), roteiro.linhas.len());
            prop_assert!(respostas.iter().zip(&roteiro.linhas).all(|(m, l)| responde(m, l)));
            restantes.extend(respostas.iter().filter_map(|mensagem| match mensagem {
                Mensagem::Compra { restante } => Some(*restante),
                _ => None,
            }));
        }
        // Cada venda tem o seu restante, e eles vão do primeiro ao último sem buracos.
        restantes.sort_unstable();
        let esperados: Vec<i128> = (estoque - vendas..estoque).map(i128::from).collect();
        prop_assert_eq!(restantes, esperados);
        prop_assert_eq!(mesa.vendas(), vendas);

        for cliente in &clientes {
            cliente.fecha();
        }
        mesa.gira();
        prop_assert!(mesa.vazio());
    }
}

/// Linhas vazias e, no fim, `palavra`, de modo que uma leitura traga tudo e venha cheia.
fn leitura_cheia_que_termina_em(palavra: &str) -> String {
    "\n".repeat(LEITURA_POR_TURNO - palavra.len()) + palavra
}

/// O palco: o fluxo falso, o cliente do outro lado dele e o laço que entrega eventos e gira.
mod mesa {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::io::{self, ErrorKind, Read, Write};
    use std::net::SocketAddr;
    use std::rc::Rc;
    use std::time::{Duration, Instant};

    use servidor::balcao::{Balcao, Contas, Limites, Venda};
    use servidor::conexao::Prontidao;
    use servidor::loja::Loja;
    use servidor::registro::Registro;

    /// O que o balcão fez com um fluxo, e com o de quem (pela ordem de entrada).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Gesto {
        Leu(usize),
        Escreveu(usize),
    }

    type Diario = Rc<RefCell<Vec<Gesto>>>;

    /// Como está a ponta do cliente.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Ponta {
        Aberta,
        Fechada,
        Quebrada,
    }

    /// Uma conexão em memória: o que vai e vem, o ritmo, e os eventos que o epoll ainda deve.
    #[derive(Debug)]
    struct Cano {
        nome: usize,
        diario: Diario,
        ida: VecDeque<u8>,
        volta: Vec<u8>,
        ponta: Ponta,
        /// Quanto chega de cada vez, quanto sai de cada vez, e quanto ainda cabe até o cliente ler.
        chegada: usize,
        gole: usize,
        cabe: usize,
        escrita_quebrada: bool,
        leitura_interrompida: bool,
        escrita_interrompida: bool,
        /// A última escrita não coube: quando couber de novo, há uma borda.
        travado: bool,
        evento_de_leitura: bool,
        evento_de_escrita: bool,
        leu_o_fim: bool,
        escrita_fechada: bool,
        /// O balcão largou o fluxo; com bytes por ler, o sistema mandaria um reset.
        largado: bool,
        largado_com_sobra: bool,
    }

    impl Cano {
        fn novo(nome: usize, diario: Diario) -> Self {
            Cano {
                nome,
                diario,
                ida: VecDeque::new(),
                volta: Vec::new(),
                ponta: Ponta::Aberta,
                chegada: usize::MAX,
                gole: usize::MAX,
                cabe: usize::MAX,
                escrita_quebrada: false,
                leitura_interrompida: false,
                escrita_interrompida: false,
                travado: false,
                evento_de_leitura: false,
                evento_de_escrita: false,
                leu_o_fim: false,
                escrita_fechada: false,
                largado: false,
                largado_com_sobra: false,
            }
        }

        fn ler(&mut self, destino: &mut [u8]) -> io::Result<usize> {
            self.diario.borrow_mut().push(Gesto::Leu(self.nome));
            assert!(!self.leu_o_fim, "leu depois do fim");
            if std::mem::take(&mut self.leitura_interrompida) {
                return Err(ErrorKind::Interrupted.into());
            }
            if self.ida.is_empty() {
                // No Linux, o que chegou antes de um reset ainda se lê antes do erro.
                self.leu_o_fim = self.ponta != Ponta::Aberta;
                return match self.ponta {
                    Ponta::Aberta => Err(ErrorKind::WouldBlock.into()),
                    Ponta::Fechada => Ok(0),
                    Ponta::Quebrada => Err(ErrorKind::ConnectionReset.into()),
                };
            }
            let lidos = self.ida.len().min(destino.len()).min(self.chegada);
            for (lugar, byte) in destino.iter_mut().zip(self.ida.drain(..lidos)) {
                *lugar = byte;
            }
            // Uma leitura curta esvazia o socket: se ainda há bytes, é que chegaram logo depois.
            if lidos < destino.len() && !self.ida.is_empty() {
                self.evento_de_leitura = true;
            }
            Ok(lidos)
        }

        fn escrever(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.diario.borrow_mut().push(Gesto::Escreveu(self.nome));
            assert!(!bytes.is_empty(), "escreveu nada");
            assert!(!self.escrita_fechada, "escreveu depois de fechar a escrita");
            if std::mem::take(&mut self.escrita_interrompida) {
                return Err(ErrorKind::Interrupted.into());
            }
            if self.escrita_quebrada || self.ponta == Ponta::Quebrada {
                return Err(ErrorKind::ConnectionReset.into());
            }
            let escritos = bytes.len().min(self.gole).min(self.cabe);
            if escritos == 0 {
                self.travado = true;
                return Err(ErrorKind::WouldBlock.into());
            }
            self.cabe -= escritos;
            self.volta.extend_from_slice(&bytes[..escritos]);
            Ok(escritos)
        }

        /// O cliente leu, e cabem mais `bytes`. A borda só existe para quem tinha travado.
        fn abrir_espaco(&mut self, bytes: usize) {
            self.cabe = bytes;
            self.evento_de_escrita |= std::mem::take(&mut self.travado);
        }

        fn tem_evento(&self) -> bool {
            !self.largado && (self.evento_de_leitura || self.evento_de_escrita)
        }
    }

    /// A ponta do balcão: o que em produção é o socket do mio.
    #[derive(Debug)]
    pub struct FluxoFalso(Rc<RefCell<Cano>>);

    impl FluxoFalso {
        fn fechar_escrita(&self) {
            let mut cano = self.0.borrow_mut();
            assert!(!cano.escrita_fechada, "fechou a escrita duas vezes");
            cano.escrita_fechada = true;
        }
    }

    impl Read for FluxoFalso {
        fn read(&mut self, destino: &mut [u8]) -> io::Result<usize> {
            self.0.borrow_mut().ler(destino)
        }
    }

    impl Write for FluxoFalso {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().escrever(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Drop for FluxoFalso {
        fn drop(&mut self) {
            let mut cano = self.0.borrow_mut();
            cano.largado = true;
            cano.largado_com_sobra = !cano.ida.is_empty();
        }
    }

    /// A ponta do cliente, que a cena comanda.
    #[derive(Debug, Clone)]
    pub struct Cliente {
        pub chave: usize,
        cano: Rc<RefCell<Cano>>,
    }

    impl Cliente {
        pub fn manda(&self, bytes: impl AsRef<[u8]>) {
            let mut cano = self.cano.borrow_mut();
            cano.ida.extend(bytes.as_ref());
            cano.evento_de_leitura |= !bytes.as_ref().is_empty();
        }

        /// Fecha o seu lado, em ordem; ainda escuta.
        pub fn fecha(&self) {
            let mut cano = self.cano.borrow_mut();
            cano.ponta = Ponta::Fechada;
            cano.evento_de_leitura = true;
        }

        /// Um reset: o epoll o anuncia legível e gravável, e as duas coisas dão erro.
        pub fn quebra(&self) {
            let mut cano = self.cano.borrow_mut();
            cano.ponta = Ponta::Quebrada;
            cano.evento_de_leitura = true;
            cano.evento_de_escrita = true;
        }

        /// A próxima escrita dará erro, mas o que já chegou ainda se lê.
        pub fn so_a_escrita_quebra(&self) {
            self.cano.borrow_mut().escrita_quebrada = true;
        }

        pub fn interrompe_uma_leitura_e_uma_escrita(&self) {
            let mut cano = self.cano.borrow_mut();
            cano.leitura_interrompida = true;
            cano.escrita_interrompida = true;
        }

        pub fn para_de_ler(&self) {
            self.cano.borrow_mut().cabe = 0;
        }

        pub fn le_so_mais(&self, bytes: usize) {
            self.cano.borrow_mut().abrir_espaco(bytes);
        }

        pub fn volta_a_ler(&self) {
            self.cano.borrow_mut().abrir_espaco(usize::MAX);
        }

        /// Cada escrita do balcão leva no máximo isto.
        pub fn le_aos_goles_de(&self, bytes: usize) {
            self.cano.borrow_mut().gole = bytes;
        }

        /// Cada leitura do balcão acha no máximo isto; o resto chega depois, com o seu evento.
        pub fn chega_aos_pedacos_de(&self, bytes: usize) {
            self.cano.borrow_mut().chegada = bytes;
        }

        /// O que ouviu desde a última vez que se perguntou.
        pub fn ouviu(&self) -> String {
            let volta = std::mem::take(&mut self.cano.borrow_mut().volta);
            String::from_utf8_lossy(&volta).into_owned()
        }

        /// O balcão ainda tem esta conexão?
        pub fn conectada(&self) -> bool {
            !self.cano.borrow().largado
        }

        /// O balcão já disse a última palavra a esta conexão?
        pub fn viu_o_fim(&self) -> bool {
            let cano = self.cano.borrow();
            cano.escrita_fechada || cano.largado
        }

        /// O balcão fechou com bytes por ler? O sistema mandaria um reset, que pode apagar a última
        /// resposta.
        pub fn levou_reset(&self) -> bool {
            self.cano.borrow().largado_com_sobra
        }
    }

    /// O balcão de produção, com um laço que entrega eventos por borda e um relógio de mão.
    pub struct Mesa {
        balcao: Balcao<FluxoFalso>,
        registro: Registro,
        agora: Instant,
        clientes: Vec<Cliente>,
        diario: Diario,
    }

    impl Mesa {
        pub fn com_estoque(estoque: u64) -> Self {
            Mesa::com_limites(
                estoque,
                Limites { conexoes: 1000, ocioso: None, memoria: usize::MAX },
            )
        }

        pub fn com_limites(estoque: u64, limites: Limites) -> Self {
            let agora = Instant::now();
            let fechar_escrita = FluxoFalso::fechar_escrita;
            Mesa {
                balcao: Balcao::novo(Loja::nova(estoque), limites, agora, fechar_escrita),
                registro: Registro::mudo(),
                agora,
                clientes: Vec::new(),
                diario: Diario::default(),
            }
        }

        pub fn entra(&mut self) -> Cliente {
            let nome = self.clientes.len();
            let cano = Rc::new(RefCell::new(Cano::novo(nome, Rc::clone(&self.diario))));
            let cliente = Cliente { chave: self.balcao.proxima_chave(), cano: Rc::clone(&cano) };
            let endereco = SocketAddr::from(([127, 0, 0, 1], 12346));
            self.balcao.admitir(FluxoFalso(cano), endereco, self.agora, &mut self.registro);
            self.clientes.push(cliente.clone());
            cliente
        }

        /// Uma volta do laço: os eventos que houver, e o turno.
        pub fn turno(&mut self) {
            self.entrega_eventos();
            self.so_o_turno();
        }

        /// Marca, como o epoll por borda: só quem tem novidade, e cada novidade uma vez só.
        pub fn entrega_eventos(&mut self) {
            self.diario.borrow_mut().clear();
            for cliente in &self.clientes {
                let mut cano = cliente.cano.borrow_mut();
                if cano.tem_evento() {
                    let novidade = Prontidao {
                        legivel: std::mem::take(&mut cano.evento_de_leitura),
                        gravavel: std::mem::take(&mut cano.evento_de_escrita),
                        ler_ate_secar: cano.ponta != Ponta::Aberta,
                    };
                    drop(cano);
                    self.balcao.marcar(cliente.chave, novidade);
                }
            }
            assert!(self.diario.borrow().is_empty(), "marcar leu ou escreveu");
        }

        /// O turno, sem entregar os eventos que chegaram depois de [`Mesa::entrega_eventos`].
        pub fn so_o_turno(&mut self) {
            self.diario.borrow_mut().clear();
            let agora = self.agora;
            let firmar = |_: &[Venda]| Ok::<_, Infallible>(agora);
            let Ok(()) = self.balcao.turno(agora, &mut self.registro, firmar);
            self.conferir_turno();
        }

        /// O que vale em todo turno: ninguém é lido duas vezes, e nada se lê depois de se escrever.
        fn conferir_turno(&self) {
            let diario = self.diario.borrow();
            let leu = |gesto: &Gesto| matches!(gesto, Gesto::Leu(_));
            let leituras = diario.iter().take_while(|gesto| leu(gesto)).count();
            let (lidos, escritos) = diario.split_at(leituras);
            assert!(!escritos.iter().any(leu), "leu depois de escrever: {diario:?}");
            let mut vistos = std::collections::HashSet::new();
            for gesto in lidos {
                let Gesto::Leu(nome) = gesto else { continue };
                assert!(vistos.insert(nome), "leu {nome} duas vezes no turno");
            }
        }

        /// Um evento inventado, que nenhum fluxo causou.
        pub fn marca(&mut self, chave: usize, novidade: Prontidao) {
            self.balcao.marcar(chave, novidade);
        }

        /// Gira como o laço giraria sem dormir: até não haver evento nem trabalho.
        pub fn gira(&mut self) {
            for _ in 0..10_000 {
                self.turno();
                let ha_eventos = self.clientes.iter().any(|c| c.cano.borrow().tem_evento());
                if !ha_eventos && !self.balcao.tem_trabalho() {
                    return;
                }
            }
            unreachable!("o balcão não sossega");
        }

        /// O tempo passa e o laço dorme, acordando só quando o balcão pediu.
        pub fn espera(&mut self, tempo: Duration) {
            let ate = self.agora + tempo;
            while let Some(prazo) = self.balcao.proximo_prazo().filter(|prazo| *prazo <= ate) {
                self.agora = self.agora.max(prazo);
                self.gira();
                assert!(self.balcao.proximo_prazo() > Some(prazo) || self.vazio(), "não dorme");
            }
            self.agora = ate;
        }

        /// O tempo passa sem que o laço consiga girar.
        pub fn passa(&mut self, tempo: Duration) {
            self.agora += tempo;
        }

        pub fn encerra(&mut self) {
            self.balcao.encerrar();
        }

        /// O que o balcão fez com os fluxos no último turno, na ordem.
        pub fn gestos(&self) -> Vec<Gesto> {
            self.diario.borrow().clone()
        }

        pub fn tem_trabalho(&self) -> bool {
            self.balcao.tem_trabalho()
        }

        pub fn vazio(&self) -> bool {
            self.balcao.vazio()
        }

        pub fn ativas(&self) -> usize {
            self.balcao.ativas()
        }

        pub fn contas(&self) -> Contas {
            self.balcao.contas()
        }

        pub fn vendas(&self) -> u64 {
            self.balcao.loja().vendas()
        }
    }
}
